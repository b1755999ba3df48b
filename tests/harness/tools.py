"""evenpost-sink and evenpost-load as tests use them."""

import json
import pathlib
import re
import signal
import subprocess

from harness.evenpost import built_program
from harness.program import Program
from harness.waiting import LIMIT, free_port

_SANITIZER = re.compile(r"Sanitizer|runtime error:")


class Sink(Program):
    """A running evenpost-sink, on a port of its own."""

    count = 0

    def __init__(self, directory, *options, address=None):
        Sink.count += 1
        address = address or f"127.0.0.1:{free_port()}"
        arguments = [built_program("evenpost-sink"), "--stats", "--listen", address]
        super().__init__([*arguments, *options], directory, f"sink{Sink.count}")

    def start(self, environment=None):
        super().start(environment)
        self.address = self.wait_log(r"^listening (\S+)$").group(1)
        return self

    @property
    def port(self):
        return int(self.address.rpartition(":")[2])

    def totals(self):
        """What it has counted so far."""
        seen = self.log().count('{"connections"')
        self.signal(signal.SIGUSR1)
        self.wait_alive(
            lambda: self.log().count('{"connections"') > seen, "the totals"
        )
        return self._last_totals()

    def stop(self):
        """SIGTERM; the totals at the end."""
        status = self.terminate()
        assert status == 0, f"sink ended with {status}:\n{self.tail()}"
        assert not _SANITIZER.search(self.log()), self.tail()
        return self._last_totals()

    def _last_totals(self):
        return json.loads(self.log().splitlines()[-1])


class LoadReport:
    """What evenpost-load --json said, and its exit status."""

    def __init__(self, status, report):
        self.status = status
        self.report = report

    def __getitem__(self, key):
        return self.report[key]

    @property
    def failures(self):
        return {row["what"]: row["count"] for row in self.report["failures"]}


def run_load(address, *options, limit=LIMIT * 4):
    """Runs evenpost-load to its end."""
    done = subprocess.run(
        [built_program("evenpost-load"), "--json", *map(str, options), address],
        capture_output=True,
        timeout=limit,
        text=True,
        check=False,
    )
    assert done.stderr == "", done.stderr
    return LoadReport(done.returncode, json.loads(done.stdout.splitlines()[-1]))


def stored_messages(maildir):
    """What the sink keeps, as (senders, recipients, content), in no order."""
    return [read_stored(path) for path in (pathlib.Path(maildir) / "new").iterdir()]


def read_stored(path):
    rest = path.read_bytes()
    envelope = {b"X-Sink-From": [], b"X-Sink-To": []}
    while rest.startswith(b"X-Sink-"):
        line, _, rest = rest.partition(b"\r\n")
        key, _, value = line.partition(b": ")
        envelope[key].append(value.decode())
    return envelope[b"X-Sink-From"], envelope[b"X-Sink-To"], rest
