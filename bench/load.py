"""What sends mail: evenpost-load, and Postfix's smtp-source."""

import dataclasses
import json
import subprocess
import time

from harness.evenpost import built_program
from harness.peer import run_in_root
from harness.waiting import LIMIT


@dataclasses.dataclass(frozen=True)
class Pace:
    """How often and how long is measured."""

    runs: int
    seconds: int


@dataclasses.dataclass(frozen=True)
class Sent:
    """What one run of a generator has done."""

    units: int
    seconds: float
    failures: int = 0
    p99_ms: float = None  # of a session, from connect to the reply to QUIT
    resumed: int = 0  # TLS handshakes


@dataclasses.dataclass(frozen=True)
class EvenpostLoad:
    """evenpost-load for a time."""

    options: str

    def send(self, address, _directory, seconds):
        done = subprocess.run(
            [
                built_program("evenpost-load"),
                "--json",
                *self.options.split(),
                f"--seconds={seconds}",
                address,
            ],
            capture_output=True,
            timeout=seconds + LIMIT * 2,
            text=True,
            check=False,
        )
        said = json.loads(done.stdout)
        return Sent(
            units=said["accepted"],
            seconds=said["seconds"],
            failures=said["failed"],
            p99_ms=said["latency_ms"]["session"].get("p99"),
            resumed=said["resumed"],
        )


@dataclasses.dataclass(frozen=True)
class SmtpSource:
    """Postfix's smtp-source: one message a connection. It counts, so the time varies."""

    connections: int
    size: int
    rate: int  # about as many a second

    def send(self, address, directory, seconds):
        count = max(int(self.rate * seconds), 10 * self.connections)
        source = ["/usr/sbin/smtp-source", "-s", self.connections, "-m", count]
        source += ["-l", self.size, "-f", "a@a.example", "-t", "b@b.example", address]
        command = run_in_root("postfix", directory, list(map(str, source)))
        began = time.monotonic()
        done = subprocess.run(
            command, capture_output=True, timeout=LIMIT * 4, text=True, check=False
        )
        took = time.monotonic() - began
        # It ends at the first failure, and says so.
        failures = 1 if done.returncode or done.stderr else 0
        return Sent(units=count, seconds=took, failures=failures)
