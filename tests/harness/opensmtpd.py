"""OpenSMTPD as a server with a maildir."""

from harness.peer import Peer

_CONFIGURATION = """\
smtp max-message-size 100M
queue ttl 1h
table everyone {{ "@" = vmail }}
listen on 127.0.0.1 port {port} hostname {name}.test {options}
action keep maildir "/instance/mail" virtual <everyone>
match from any for any action keep
"""


class OpenSMTPD(Peer):
    """Accepts mail for anybody and keeps it."""

    root = "opensmtpd"
    listen_options = ""

    def configure(self):
        text = _CONFIGURATION.format(
            name=self.name, port=self.port, options=self.listen_options
        )
        self.write("smtpd.conf", text).chmod(0o600)
        for directory in ("lib/opensmtpd/empty", "run", "spool", "tmp"):
            self.make_directory(f"var/{directory}")

    def command(self):
        return ["/usr/sbin/smtpd", "-d", "-f", "/instance/smtpd.conf"]
