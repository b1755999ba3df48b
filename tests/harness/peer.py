"""A mail server or client program inside its private root of scripts/peers."""

import os
import pathlib
import subprocess

from harness.mail import Maildir
from harness.program import Program
from harness.waiting import free_port, has_greeting

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
PEERS = REPOSITORY / "scripts" / "peers"

# As scripts/peers numbers them in every root.
ACCOUNTS = {"vmail": 5000, "postfix": 5001, "postdrop": 5007, "Debian-exim": 5004}


def missing_peers():
    """What scripts/peers has not installed yet, in its own words; empty if nothing."""
    return subprocess.run(
        [PEERS, "check"], stdin=subprocess.DEVNULL, capture_output=True, text=True
    ).stderr.strip()


def run_in_root(root, directory, arguments):
    """The command line that runs a program in a root, with directory as /instance."""
    return [PEERS, "run", root, directory, *arguments]


class Peer:
    """A server that delivers all mail for anybody into the maildir mail/.

    Subclasses say which root they live in, write their configuration, and give the
    command line and the accounts that own their directories.
    """

    root = None
    log_name = None
    preamble = b""  # what it must read before it greets
    host = "127.0.0.1"  # where it listens
    launcher = ()  # what stands before its command line

    def __init__(self, directory, name):
        self.name = name
        self.directory = pathlib.Path(directory) / name
        self.directory.mkdir(mode=0o755)
        self.port = free_port()
        self.mail = Maildir(self.make_directory("mail", "vmail"))
        self.configure()
        self.program = None

    @property
    def address(self):
        return f"{self.host}:{self.port}"

    def make_directory(self, path, owner="root", group="root", mode=0o755):
        directory = self.directory / path
        directory.mkdir(parents=True, exist_ok=True)
        directory.chmod(mode)
        os.chown(directory, ACCOUNTS.get(owner, 0), ACCOUNTS.get(group, 0))
        return directory

    def write(self, path, text):
        file = self.directory / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def start(self):
        """Start the server; returns when it has greeted."""
        self.program = Program(
            [
                *self.launcher,
                *run_in_root(self.root, self.directory, self.command()),
            ],
            self.directory,
            self.name,
            log=self.log_name and self.directory / self.log_name,
        ).start()
        self.program.wait_alive(self.is_ready, f"the greeting of {self.name}")
        return self

    def is_ready(self):
        return has_greeting(self.port, self.preamble, self.host)

    def stop(self):
        """End it with all its children; what it accepted is on disk."""
        if self.program:
            self.program.kill()

    def configure(self):
        raise NotImplementedError

    def command(self):
        raise NotImplementedError
