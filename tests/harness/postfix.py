"""Postfix: as a server with a maildir, and as a client with a relayhost."""

from harness.peer import Peer

_MAIN = """\
compatibility_level = 3.6
queue_directory = /instance/queue
data_directory = /instance/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
maillog_file = /instance/maillog
maillog_file_prefixes = /instance
mail_owner = postfix
setgid_group = postdrop
myhostname = {name}.test
mydestination =
inet_interfaces = {host}
inet_protocols = ipv4
smtp_dns_support_level = disabled
smtp_host_lookup = native
smtpd_peername_lookup = no
smtputf8_enable = yes
message_size_limit = 104857600
virtual_mailbox_limit = 0
mailbox_size_limit = 0
alias_maps =
alias_database =
local_recipient_maps =
"""

_EVERYBODY = """\
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
virtual_mailbox_domains = static:all
"""

DELIVERS = """\
virtual_mailbox_base = /instance
virtual_mailbox_maps = static:mail/
virtual_uid_maps = static:5000
virtual_gid_maps = static:5000
"""

_RELAYS = """\
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
relayhost = [127.0.0.1]:{relay_port}
default_transport = smtp
smtp_destination_concurrency_limit = 4
minimal_backoff_time = 1s
queue_run_delay = 1s
"""

_MASTER = """\
{host}:{port} inet n - n - - smtpd
cleanup   unix  n       -       n       -       0       cleanup
qmgr      unix  n       -       n       300     1       qmgr
rewrite   unix  -       -       n       -       -       trivial-rewrite
bounce    unix  -       -       n       -       0       bounce
defer     unix  -       -       n       -       0       bounce
trace     unix  -       -       n       -       0       bounce
proxymap  unix  -       -       n       -       -       proxymap
smtp      unix  -       -       n       -       -       smtp
relay     unix  -       -       n       -       -       smtp
error     unix  -       -       n       -       -       error
retry     unix  -       -       n       -       -       error
virtual   unix  -       n       n       -       -       virtual
anvil     unix  -       -       n       -       1       anvil
scache    unix  -       -       n       -       1       scache
tlsmgr    unix  -       -       n       1000?   1       tlsmgr
postlog   unix-dgram n  -       n       -       1       postlogd
"""

_QUEUE = "incoming active bounce corrupt defer deferred flush hold saved trace".split()


class Postfix(Peer):
    """Accepts mail for anybody and keeps it."""

    root = "postfix"
    log_name = "maillog"

    def settings(self):
        return _EVERYBODY + DELIVERS

    def services(self):
        """Further lines of master.cf."""
        return ""

    def configure(self):
        main = _MAIN.format(name=self.name, host=self.host)
        master = _MASTER.format(host=self.host, port=self.port)
        self.write("conf/main.cf", main + self.settings())
        self.write("conf/master.cf", master + self.services())
        self.make_directory("queue")
        for queue in [*_QUEUE, "private"]:
            self.make_directory(f"queue/{queue}", "postfix", mode=0o700)
        self.make_directory("queue/public", "postfix", "postdrop", mode=0o710)
        self.make_directory("queue/maildrop", "postfix", "postdrop", mode=0o730)
        self.make_directory("queue/pid")
        self.make_directory("data", "postfix")

    def command(self):
        return ["/usr/lib/postfix/sbin/master", "-c", "/instance/conf", "-d"]


class PostfixRelay(Postfix):
    """Accepts mail for anybody and gives all of it to one port."""

    def __init__(self, directory, name, relay_port):
        self.relay_port = relay_port
        super().__init__(directory, name)

    def settings(self):
        return _RELAYS.format(relay_port=self.relay_port)
