"""Postfix and Exim that take no mail in clear.

Each has two ports: port wants STARTTLS, implicit_port speaks TLS from the first byte.
"""

from harness.exim import Exim
from harness.postfix import Postfix
from harness.waiting import free_port

_POSTFIX = """\
smtpd_tls_security_level = encrypt
smtpd_tls_chain_files = /instance/chain.pem
smtpd_tls_loglevel = 1
smtpd_tls_received_header = yes
"""

_EXIM = """\
tls_certificate = /instance/certificate.pem
tls_privatekey = /instance/key.pem
tls_on_connect_ports = {implicit}
log_selector = +tls_cipher
acl_smtp_mail = ${{if def:tls_in_cipher {{accept_all}}{{deny message = In clear}}}}
"""


class EncryptingPostfix(Postfix):
    """pair: its certificate."""

    def __init__(self, directory, name, pair):
        self.implicit_port = free_port()
        super().__init__(directory, name)
        chain = pair.key.read_text() + pair.certificate.read_text()
        self.write("chain.pem", chain).chmod(0o600)

    def settings(self):
        return super().settings() + _POSTFIX

    def services(self):
        return (
            f"{self.host}:{self.implicit_port} inet n - n - - smtpd"
            " -o smtpd_tls_wrappermode=yes\n"
        )


class EncryptingExim(Exim):
    """pair: its certificate. Debian builds it with GnuTLS."""

    offers_tls_to = "*"

    def __init__(self, directory, name, pair):
        self.implicit_port = free_port()
        super().__init__(directory, name)
        self.write("certificate.pem", pair.certificate.read_text())
        self.write("key.pem", pair.key.read_text()).chmod(0o644)

    def ports(self):
        return [self.port, self.implicit_port]

    def settings(self):
        return _EXIM.format(implicit=self.implicit_port)
