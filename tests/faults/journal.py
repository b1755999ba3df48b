"""The servers of the kill tests, from the side of the test."""

import collections
import pathlib
import sys

from harness.program import Program
from harness.waiting import free_port, has_greeting

_PROGRAM = pathlib.Path(__file__).with_name("journal_server.py")

Entry = collections.namedtuple("Entry", "number recipients digest")


class JournalServer:
    """A process that can be killed and started again on the same port and journal."""

    def __init__(self, directory, name):
        self.name = name
        self.directory = pathlib.Path(directory)
        self.journal = self.directory / f"{name}.journal"
        self.port = free_port()
        self.program = None

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def start(self):
        command = [sys.executable, _PROGRAM, self.port, self.journal]
        self.program = Program(command, self.directory, self.name).start()
        self.program.wait_alive(
            lambda: has_greeting(self.port), f"the greeting of {self.name}"
        )
        return self

    def kill(self):
        self.program.kill()

    def entries(self):
        """Every message that it kept."""
        lines = self.journal.read_text().splitlines()
        return [Entry(int(n), int(to), digest) for n, to, digest in map(str.split, lines)]
