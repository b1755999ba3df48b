"""Servers that fail in every way at once, under load: threats section 6, promise 4."""

import collections
import re

import pytest

from harness.evenpost import Evenpost, configure_pool
from harness.tools import Sink, run_load

_MESSAGES = 1200

# At these events, counted over all connections, the first server does this once; the
# others when it has done with it all, so that no message meets three that fail.
_FAULTS = [
    "greeting=reply:421 4.3.2 busy@3",
    "greeting=drop@5",
    "ehlo=drop@7",
    "mail=reply:421 4.3.2 going@20",
    "mail=drop@50",
    "rcpt=reply:452 4.3.1 full@33",
    "rcpt=drop@70",
    "rcpt=garbage@120",
    "data=drop@40",
    "data=reply:421 4.3.2 going@90",
    "data=reset@110",
    "body=drop:100@45",
    "body=reset:0@75",
    "body=early-reply:10@105",
    "end=drop@60",
    "end=reset@100",
]


def faults_of(number):
    """The options of the server with that number."""
    for fault in _FAULTS:
        what, _, event = fault.rpartition("@")
        yield from ("--fault", f"{what}@{int(event) + 130 * number}")


def read_log(path, wanted):
    """The ids of the lines that match, from a log of evenpost-load."""
    lines = path.read_text().splitlines()
    return [line.split()[0] for line in lines if re.search(wanted, line)]


def read_journals(sinks, directory):
    """How often each message is on any server."""
    copies = collections.Counter()
    for number in range(len(sinks)):
        journal = (directory / f"journal{number}").read_text()
        copies.update(re.findall(r"load_id=(\S+)", journal))
    return copies


@pytest.mark.threads
@pytest.mark.parametrize("options", [(), ("-p",), ("--chunking",)], ids=str)
def test_nothing_is_lost_or_doubled(scratch, options):
    """Clients see nothing but ambiguous ends; what they heard 250 for is there once."""
    sinks = [
        Sink(scratch, "--journal", scratch / f"journal{n}", *faults_of(n)).start()
        for n in range(3)
    ]
    servers = {
        f"s{n}": {"address": sink.address, "max-connections": 4}
        for n, sink in enumerate(sinks)
    }
    pool = configure_pool(
        servers, health={"probe": "none"}, passive={"failures": 1000}
    )
    evenpost = Evenpost(scratch, {"hubs": pool}).start()
    log = scratch / "load"
    report = run_load(
        f"127.0.0.1:{evenpost.port}",
        *("-n", _MESSAGES, "-c", 20, "-m", 5, "-s", "20k", "--log", log),
        *options,
    )
    evenpost.stop()  # whose log is whole then
    ambiguous = evenpost.log_events("message", result="ambiguous")
    for sink in sinks:
        sink.stop()
    assert set(report.failures) <= {"end 451 4.4.2"}, report.failures
    copies = read_journals(sinks, scratch)
    accepted = read_log(log, " accepted ")
    assert len(accepted) + len(ambiguous) == _MESSAGES
    assert len(ambiguous) == report.failures.get("end 451 4.4.2", 0)
    wrong = {number: copies[number] for number in accepted if copies[number] != 1}
    assert not wrong, f"not there once: {wrong}"
    assert max(copies.values()) == 1, "evenpost sent a message again"
