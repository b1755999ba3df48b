"""Postfix that asks Dovecot who may log in (SASL), with two users."""

import re
import socket

from harness.dovecot import Dovecot
from harness.postfix import DELIVERS, Postfix

USERS = {"ann": "correct horse", "bob": "battery staple"}

_AUTH = """\
protocols =
base_dir = /instance/run
state_dir = /instance/state
log_path = /instance/dovecot.log
listen = 127.0.0.1
ssl = no
default_internal_user = dovecot
default_login_user = dovenull
auth_mechanisms = plain login cram-md5
auth_failure_delay = 0
passdb {{
  driver = passwd-file
  args = username_format=%n /instance/users
}}
userdb {{
  driver = static
  args = uid=vmail gid=vmail home=/instance/mail
}}
service auth {{
  inet_listener {{
    port = {port}
  }}
}}
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
"""

_SASL = """\
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = inet:127.0.0.1:{auth_port}
smtpd_sasl_security_options = noanonymous
broken_sasl_auth_clients = yes
smtpd_tls_security_level = may
smtpd_tls_auth_only = {auth_only}
smtpd_tls_chain_files = /instance/chain.pem
mynetworks = 192.0.2.1/32
smtpd_authorized_xclient_hosts = 127.0.0.1
smtpd_relay_restrictions = permit_sasl_authenticated, reject
virtual_mailbox_domains = static:all
"""


class Authenticator(Dovecot):
    """Knows the users, and mails nobody."""

    def configure(self):
        self.write("dovecot.conf", _AUTH.format(port=self.port))
        lines = [f"{user}:{{PLAIN}}{password}\n" for user, password in USERS.items()]
        self.write("users", "".join(lines)).chmod(0o644)
        self.make_directory("run")
        self.make_directory("state")

    def is_ready(self):
        try:
            with socket.create_connection((self.host, self.port), 1) as client:
                client.settimeout(1)
                return client.recv(7) == b"VERSION"
        except OSError:
            return False


class AuthenticatingPostfix(Postfix):
    """Takes mail from who has logged in, and from nobody else.

    pair: its certificate. tls_only: AUTH is offered in TLS alone.
    """

    def __init__(self, directory, name, auth_port, pair, tls_only=False):
        self.auth_port = auth_port
        self.tls_only = tls_only
        super().__init__(directory, name)
        chain = pair.key.read_text() + pair.certificate.read_text()
        self.write("chain.pem", chain).chmod(0o600)

    def settings(self):
        sasl = _SASL.format(
            auth_port=self.auth_port,
            auth_only="yes" if self.tls_only else "no",
        )
        return sasl + DELIVERS

    def logins(self):
        """(mechanism, user) of each message that was begun, in their order."""
        log = self.program.log()
        return re.findall(r"sasl_method=(\S+), sasl_username=(\S+)", log)
