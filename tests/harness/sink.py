"""evenpost-sink as a server: fast, keeps what it gets when asked to."""

import pathlib

from harness.evenpost import built_program
from harness.mail import Maildir
from harness.program import Program
from harness.waiting import free_port, has_greeting


class SmtpSink:
    """One evenpost-sink with a maildir. start() after kill() keeps port and mail."""

    def __init__(self, directory, name, *options):
        self.name = name
        self.directory = pathlib.Path(directory) / name
        self.directory.mkdir()
        self.port = free_port()
        self.mail = Maildir(self.directory / "mail")
        self.options = options
        self.program = None

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def start(self):
        self.program = Program(
            [
                built_program("evenpost-sink"),
                f"--listen={self.address}",
                f"--maildir={self.mail.directory}",
                *self.options,
            ],
            self.directory,
            self.name,
        ).start()
        self.program.wait_alive(
            lambda: has_greeting(self.port), f"the greeting of {self.name}"
        )
        return self

    def stop(self):
        if self.program:
            self.program.kill()
