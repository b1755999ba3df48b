"""Dovecot as an LMTP server with a maildir."""

from harness.peer import Peer

_CONFIGURATION = """\
protocols = lmtp
base_dir = /instance/run
state_dir = /instance/state
log_path = /instance/dovecot.log
listen = 127.0.0.1
ssl = no
default_internal_user = dovecot
default_login_user = dovenull
mail_uid = vmail
mail_gid = vmail
mail_location = maildir:/instance/mail
lmtp_user_concurrency_limit = 0
userdb {{
  driver = static
  args = uid=vmail gid=vmail home=/instance/mail allow_all_users=yes
}}
passdb {{
  driver = static
  args = nopassword=y
}}
service lmtp {{
  inet_listener lmtp {{
    port = {port}
  }}
}}
service stats {{
  chroot =
}}
"""


class Dovecot(Peer):
    """Accepts mail for anybody by LMTP and keeps it, a copy for each recipient."""

    root = "dovecot"
    log_name = "dovecot.log"

    def settings(self):
        """Further lines at the end of the configuration."""
        return ""

    def configure(self):
        text = _CONFIGURATION.format(port=self.port) + self.settings()
        self.write("dovecot.conf", text)
        self.make_directory("run")
        self.make_directory("state")

    def command(self):
        return ["/usr/sbin/dovecot", "-F", "-c", "/instance/dovecot.conf"]
