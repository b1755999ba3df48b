"""Servers that can be told the client's address, and that trust 127.0.0.1.

What an administrator would set behind an evenpost on the same machine. Each has a log
that names the client it believes to have.
"""

from harness.certificate import make_certificate
from harness.dovecot import Dovecot
from harness.exim import Exim
from harness.opensmtpd import OpenSMTPD
from harness.postfix import DELIVERS, Postfix
from harness.proxy_header import version_2
from harness.waiting import free_port

# Local mail for anybody; everything else for 127.0.0.1 alone, which is where evenpost
# connects from.
_GUARD = """\
mynetworks = 127.0.0.1/32
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
virtual_mailbox_domains = b.example
default_transport = smtp
smtpd_tls_chain_files = /instance/key.pem, /instance/certificate.pem
postscreen_upstream_proxy_protocol = haproxy
postscreen_greet_wait = 1s
"""

# Each service's lines in the log begin with a name of their own.
_SMTPD = """\
127.0.0.1:{port} inet n - n - - smtpd -o syslog_name=postfix/{name} {options}
"""
_SMTPD_OPTIONS = {
    "listed": "-o smtpd_authorized_xclient_hosts=127.0.0.1"
    " -o smtpd_authorized_xforward_hosts=127.0.0.1",
    "proxy": "-o smtpd_upstream_proxy_protocol=haproxy"
    " -o smtpd_tls_security_level=may",
    "wrapper": "-o smtpd_upstream_proxy_protocol=haproxy"
    " -o smtpd_tls_wrappermode=yes",
}
_POSTSCREEN = """\
127.0.0.1:{port} inet n - n - 1 postscreen
smtpd pass - - n - - smtpd -o syslog_name=postfix/behind
"""


class AddressedPostfix(Postfix):
    """One Postfix with a port for each way: port knows of none, ports has the others.

    listed: XCLIENT and XFORWARD; proxy: a PROXY header, STARTTLS; wrapper: a PROXY
    header, TLS at once; postscreen: a PROXY header, and smtpd behind.
    """

    def __init__(self, directory, name):
        self.ports = {way: free_port() for way in [*_SMTPD_OPTIONS, "postscreen"]}
        super().__init__(directory, name)

    def settings(self):
        return _GUARD + DELIVERS

    def services(self):
        lines = [
            _SMTPD.format(port=self.ports[name], name=name, options=options)
            for name, options in _SMTPD_OPTIONS.items()
        ]
        return "".join(lines) + _POSTSCREEN.format(port=self.ports["postscreen"])

    def configure(self):
        super().configure()
        make_certificate(self.directory, f"{self.name}.test")


class AddressedExim(Exim):
    """Every connection begins with a PROXY header."""

    preamble = b"PROXY UNKNOWN\r\n"

    def settings(self):
        return "hosts_proxy = 127.0.0.1\nlog_selector = +proxy\n"


class AddressedOpenSMTPD(OpenSMTPD):
    """Every connection begins with a PROXY header, version 2."""

    preamble = version_2()
    listen_options = "proxy-v2"


_DOVECOT = """\
protocols = lmtp submission
login_trusted_networks = 127.0.0.1
haproxy_trusted_networks = 127.0.0.1
disable_plaintext_auth = no
submission_relay_host = 127.0.0.1
submission_relay_port = {relay_port}
submission_relay_trusted = yes
service lmtp {{
  inet_listener lmtp_proxy {{
    port = {lmtp}
    haproxy = yes
  }}
}}
service submission-login {{
  chroot =
  inet_listener submission {{
    port = {submission}
    haproxy = yes
  }}
}}
"""


class AddressedDovecot(Dovecot):
    """port is LMTP with XCLIENT; ports["lmtp"] and ports["submission"] begin with a
    PROXY header. What is submitted goes to relay_port, which is told the client by
    XCLIENT.
    """

    def __init__(self, directory, name, relay_port):
        self.relay_port = relay_port
        self.ports = {"lmtp": free_port(), "submission": free_port()}
        super().__init__(directory, name)

    def settings(self):
        return _DOVECOT.format(relay_port=self.relay_port, **self.ports)
