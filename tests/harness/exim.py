"""Exim as a server with a maildir."""

from harness.peer import Peer

_CONFIGURATION = """\
primary_hostname = {name}.test
spool_directory = /instance/spool
log_file_path = /instance/log/%slog
pid_file_path = /instance/spool/exim.pid
never_users = root
notifier_socket =
daemon_smtp_ports = {ports}
local_interfaces = 127.0.0.1
disable_ipv6 = true
host_lookup =
rfc1413_query_timeout = 0s
helo_allow_chars = _
smtp_accept_max = 100
smtp_accept_queue_per_connection = 0
message_size_limit = 100M
accept_8bitmime = true
smtputf8_advertise_hosts = *
chunking_advertise_hosts = *
dsn_advertise_hosts = *
pipelining_advertise_hosts = *
tls_advertise_hosts = {offers_tls_to}
acl_smtp_rcpt = accept_all
acl_smtp_data = accept_all
acl_smtp_vrfy = accept_all
keep_environment =

begin acl
accept_all:
  accept

begin routers
everyone:
  driver = accept
  transport = maildir

begin transports
maildir:
  driver = appendfile
  directory = /instance/mail
  maildir_format
  user = vmail
  group = vmail
  delivery_date_add
  return_path_add

begin retry
* * F,1h,1m
"""


class Exim(Peer):
    """Accepts mail for anybody and keeps it."""

    root = "exim"
    log_name = "log/mainlog"
    offers_tls_to = ""

    def ports(self):
        """All that it listens on."""
        return [self.port]

    def settings(self):
        """Further lines of the main section, which stands first."""
        return ""

    def configure(self):
        text = _CONFIGURATION.format(
            name=self.name,
            ports=" : ".join(map(str, self.ports())),
            offers_tls_to=self.offers_tls_to,
        )
        self.write("exim.conf", self.settings() + text)
        self.make_directory("spool", "Debian-exim", "Debian-exim")
        self.make_directory("log", "Debian-exim", "Debian-exim")

    def command(self):
        return ["/usr/sbin/exim4", "-bdf", "-q1m"]
