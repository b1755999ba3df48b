"""A running program with its log, started in a directory of its own."""

import os
import pathlib
import re
import signal
import subprocess

from harness.waiting import LIMIT, wait_until

# Every program of the test session, so that a failing test can show their logs.
running = []


class Program:
    """One process. Ended by its pid, and never left behind."""

    def __init__(self, arguments, directory, name, log=None):
        """log is the file in which the program itself logs, if not on its stderr."""
        self.arguments = [str(argument) for argument in arguments]
        self.directory = pathlib.Path(directory)
        self.name = name
        self.output = self.directory / f"{name}.log"
        self.log_file = pathlib.Path(log) if log else self.output
        self.process = None
        self.ended = False  # because the test wanted it

    def start(self, environment=None):
        with open(self.output, "ab") as output:
            self.process = subprocess.Popen(
                self.arguments,
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment,
            )
        self.ended = False
        running.append(self)
        return self

    @property
    def pid(self):
        return self.process.pid

    def is_alive(self):
        return self.process is not None and self.process.poll() is None

    def log(self):
        """All of the log so far. A line that is being written is none yet."""
        is_whole = not self.is_alive()
        if not self.log_file.exists():
            return ""
        text = self.log_file.read_text(encoding="utf-8", errors="replace")
        return text if is_whole else text[: text.rfind("\n") + 1]

    def wait_log(self, pattern, limit=LIMIT):
        """Wait until a line of the log matches; returns the match."""
        return self.wait_alive(
            lambda: re.search(pattern, self.log(), re.MULTILINE),
            f"{pattern!r} in the log of {self.name}",
            limit,
        )

    def wait_alive(self, condition, what, limit=LIMIT):
        """Like wait_until, but fails at once when the program ends."""

        def condition_or_death():
            result = condition()
            if not result and not self.is_alive():
                raise AssertionError(
                    f"{self.name} ended with status {self.process.returncode} "
                    f"before {what}:\n{self.tail()}"
                )
            return result

        return wait_until(condition_or_death, what, limit)

    def processor_seconds(self):
        """What it has used so far."""
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def signal(self, number):
        self.process.send_signal(number)

    def terminate(self, limit=LIMIT):
        """SIGTERM, and the exit status."""
        self.signal(signal.SIGTERM)
        try:
            return self.process.wait(limit)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not end in {limit} s after SIGTERM")
        finally:
            self._forget()

    def kill(self):
        """SIGKILL: nothing is finished, nothing is said."""
        if self.is_alive():
            self.process.kill()
            self.process.wait()
        self._forget()

    def tail(self, lines=15):
        texts = [self.log()]
        if self.log_file != self.output and self.output.exists():
            texts.append(self.output.read_text(errors="replace"))
        return "\n".join("\n".join(text.splitlines()[-lines:]) for text in texts)

    def _forget(self):
        self.ended = True
        if self in running:
            running.remove(self)
