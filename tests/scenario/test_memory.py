"""What sessions and messages cost: threats section 4 (R2, R4, R5), promise 5."""

import os
import resource
import signal
import threading

import pytest

from harness.evenpost import Evenpost, built_program, configure_pool
from harness.mail import dot_stuffed
from harness.raw_client import RawClient
from harness.tools import Sink
from harness.waiting import wait_until

_KIB = 1024
_MIB = 1024 * 1024

# Without a server's probe, every connection to it is a message's.
_UNPROBED = {"health": {"probe": "none"}}


def is_sanitized():
    """A sanitizer's own memory hides the program's."""
    octets = built_program("evenpost").read_bytes()
    return b"__asan_init" in octets or b"__tsan_init" in octets


measures_memory = pytest.mark.skipif(
    is_sanitized(), reason="a sanitizer's memory is not the program's"
)


def status_of(evenpost, field):
    """A field of /proc/PID/status, in bytes."""
    with open(f"/proc/{evenpost.program.pid}/status", encoding="ascii") as lines:
        for line in lines:
            name, _, value = line.partition(":")
            if name == field:
                return int(value.split()[0]) * _KIB
    raise KeyError(field)


def descriptors_of(evenpost):
    return len(os.listdir(f"/proc/{evenpost.program.pid}/fd"))


def open_sessions(evenpost, count):
    """Sessions that have said EHLO, and wait."""
    clients = [RawClient(evenpost.port) for _ in range(count)]
    for client in clients:
        client.expect(220)
        client.send(b"EHLO client.example\r\n")
    for client in clients:
        client.expect(250)
    return clients


def close_all(clients):
    for client in clients:
        client.close()


@measures_memory
def test_idle_sessions(evenpost_before, scripted_servers):
    """R5, promise 5: an idle session takes at most 1 KiB, and no server connection."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 5000
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    (server,) = scripted_servers(1)
    evenpost = evenpost_before(
        server, pool=_UNPROBED, listener={"max-connections-per-client": 10000}
    )
    clients = []
    try:
        clients += open_sessions(evenpost, 100)  # so that every code has run
        before = status_of(evenpost, "RssAnon")
        clients += open_sessions(evenpost, wanted)
        each = (status_of(evenpost, "RssAnon") - before) / wanted
    finally:
        close_all(clients)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert each <= 1024, f"{each:.0f} bytes each"
    assert not server.connections, "an idle session holds a connection to a server"


@measures_memory
def test_sessions_give_their_memory_back(evenpost_before, scripted_servers):
    """R5: as many sessions again take no more than the first did."""
    (server,) = scripted_servers(1)
    evenpost = evenpost_before(
        server, pool=_UNPROBED, listener={"max-connections-per-client": 10000}
    )
    peaks = []
    for _ in range(5):
        clients = open_sessions(evenpost, 400)
        for client in clients:
            client.send(b"MAIL FROM:<ann@a.example>\r\n")
        for client in clients:
            client.expect(250)
        peaks.append(status_of(evenpost, "RssAnon"))
        close_all(clients)
        evenpost.wait_event("session", count=400 * len(peaks))
    # The log's ring is touched bit by bit, and never more than once.
    assert peaks[-1] - peaks[0] < 800 * _KIB, peaks


@measures_memory
@pytest.mark.parametrize("by", ["DATA", "BDAT", "BDAT to DATA"])
def test_slow_server(evenpost_before, scratch, by):
    """Back-pressure: 50 MB to a server that does not read take retry.buffer alone."""
    options = ["--no", "CHUNKING"] if by == "BDAT to DATA" else []
    sink = Sink(scratch, *options).start()
    evenpost = evenpost_before(
        sink,
        pool={"retry": {"attempts": 3, "buffer": "1m"}},
        listener={"add-received": "never"},
        workers=1,
    )
    line = b"x" * 76 + b"\r\n"
    small, large = line, line * (50 * _MIB // len(line) - 1)
    with RawClient(evenpost.port) as client:
        client.hello()
        client.send_message(content=small)
        before = status_of(evenpost, "VmHWM")
        client.command("MAIL FROM:<ann@a.example>", 250)
        client.command("RCPT TO:<bob@b.example>", 250)
        if by == "DATA":
            client.command("DATA", 354)
            octets = dot_stuffed(large)
        else:
            octets = b"BDAT %d LAST\r\n" % len(large) + large
        sink.signal(signal.SIGSTOP)
        sent = _send_and_count(client, octets)
        _wait_stall(sent)
        assert sum(sent) < 20 * _MIB, "the client was not held back"
        sink.signal(signal.SIGCONT)
        client.expect(250)
    grown = status_of(evenpost, "VmHWM") - before
    totals = sink.stop()
    assert grown < 2 * _MIB, f"{grown / _MIB:.1f} MiB more"
    assert (totals["messages"], totals["bytes"]) == (2, len(small) + len(large))


def _send_and_count(client, octets):
    """Send from a thread; the list grows by what was sent."""
    sent = []

    def send():
        left = memoryview(octets)
        while left:
            sent.append(client.socket.send(left[:65536]))
            left = left[sent[-1] :]

    threading.Thread(target=send, daemon=True).start()
    return sent


def _wait_stall(sent):
    """Wait until nothing was sent for a while: ten looks in a row."""
    looks = []

    def stalled():
        looks.append(len(sent))
        return len(looks) > 10 and looks[-10] == looks[-1] > 0

    wait_until(stalled, "the client to be held back")


@measures_memory
def test_client_that_never_reads(evenpost_before, scripted_servers):
    """R2, R1: its commands are not read on, no replies pile up; then it is cut."""
    (server,) = scripted_servers(1)
    evenpost = evenpost_before(
        server,
        listener={"max-recipients": 1, "timeouts": {"data": "300ms"}},
        workers=1,
    )
    with RawClient(evenpost.port) as client:
        client.hello()
        client.command("MAIL FROM:<ann@a.example>", 250)
        client.command("RCPT TO:<bob@b.example>", 250)
        before = status_of(evenpost, "VmHWM")
        client.socket.settimeout(10)
        flood = b"RCPT TO:<bob@b.example>\r\n" * 2000
        with pytest.raises(OSError):
            for _ in range(2000):
                client.send(flood)
    evenpost.wait_event("session", end="timeout")
    grown = status_of(evenpost, "VmHWM") - before
    assert grown < _MIB, f"{grown / _MIB:.1f} MiB more"


def test_descriptors_for_servers(scratch, scripted_servers):
    """R4: clients that sit there leave descriptors for those that send."""
    (server,) = scripted_servers(1)
    evenpost = Evenpost(
        scratch,
        {"hubs": configure_pool({"s1": server.address})},
        launcher=["prlimit", "--nofile=128:128"],
        workers=1,
    ).start()
    clients = []
    try:
        refused = 0
        while refused < 3:
            clients.append(RawClient(evenpost.port))
            refused += clients[-1].read_reply().code == 421
            assert len(clients) < 128
        clients[0].command("EHLO client.example", 250)
        clients[0].send_message()
        assert evenpost.is_ready()
    finally:
        close_all(clients)
    evenpost.wait_event("reject", reason="connections")
    evenpost.stop()


def test_out_of_descriptors(evenpost_before, scripted_servers):
    """R4: without a descriptor: 421, no busy loop, and all is well afterwards."""
    (server,) = scripted_servers(1)
    # The library of the resolver, opened without a descriptor to be had, loses memory.
    evenpost = evenpost_before(
        server, pool=_UNPROBED, workers=1, dns={"client-names": False}
    )
    limit = descriptors_of(evenpost) + 5
    _, hard = resource.prlimit(evenpost.program.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(evenpost.program.pid, resource.RLIMIT_NOFILE, (limit, hard))
    clients = []
    refused = 0
    try:
        while refused < 3:
            clients.append(RawClient(evenpost.port))
            refused += clients[-1].read_reply().code == 421
            assert len(clients) < 20
        spent = evenpost.program.processor_seconds()
        # Who is in is served; what needs one more descriptor is tried again later.
        clients[0].command("EHLO client.example", 250)
        clients[0].command("MAIL FROM:<ann@a.example>", 250)
        clients[0].command("RCPT TO:<bob@b.example>", 451)
        clients[0].command("NOOP", 250)
        assert evenpost.program.processor_seconds() - spent < 0.2, "a busy loop"
    finally:
        close_all(clients)

    def is_well():
        with RawClient(evenpost.port) as client:
            return client.read_reply().code == 220

    wait_until(is_well, "a greeting again")
    with RawClient(evenpost.port) as client:
        client.hello()
        client.send_message()
    assert evenpost.pools()["hubs"]["s1"]["state"] == "up", "the server is not at fault"
