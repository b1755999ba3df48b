"""What is logged: one line an event, that no client and no server can forge (I6)."""

import fcntl
import json
import os
import signal

import pytest

from harness.evenpost import Evenpost, configure_pool, read_logfmt
from harness.raw_client import CONTENT, RawClient
from harness.waiting import wait_until

_MESSAGE_KEYS = (
    "time level event session listener client helo tls user from to recipients bytes "
    "pool server result reply queue_id attempts took_ms server_tls"
).split()

# Each is taken by evenpost as a name in EHLO.
_FORGED_NAMES = [
    'a"event=message',
    'x"result=accepted"',
    "a\\nb",
    "a=b",
    "{}[]:,",
    "bücher.example",
    "a" * 255,
]


def lines_of(evenpost, form):
    """Every line of the log as {key: value}; fails on one that is not whole."""
    lines = evenpost.program.log().splitlines()
    if form == "json":
        return [json.loads(line) for line in lines]
    return [read_logfmt(line) for line in lines]


def start(evenpost_before, servers, form):
    log = {"to": "stderr", "format": form, "level": "info"}
    return evenpost_before(*servers, log=log)


@pytest.mark.parametrize("form", ["logfmt", "json"])
def test_keys_of_a_message(evenpost_before, scripted_servers, form):
    """operations.md, Logs: the keys of a message, in their order."""
    evenpost = start(evenpost_before, scripted_servers(1), form)
    with RawClient(evenpost.port) as client:
        client.hello()
        client.send_message()
        client.command("QUIT", 221)
    evenpost.program.wait_log("event.{1,3}session")
    (line,) = [l for l in lines_of(evenpost, form) if l.get("event") == "message"]
    assert list(line) == _MESSAGE_KEYS
    assert line["from"] == "ann@a.example" and line["to"] == "bob@b.example"
    assert line["result"] == "accepted" and line["queue_id"] == "000001"
    assert line["reply"] == "250 2.0.0 Ok: queued as 000001"
    assert int(line["bytes"]) == len(CONTENT) and int(line["attempts"]) == 1


@pytest.mark.parametrize("form", ["logfmt", "json"])
@pytest.mark.parametrize("name", _FORGED_NAMES, ids=range(len(_FORGED_NAMES)))
def test_forged_helo(evenpost_before, scripted_servers, form, name):
    """I6: a name that looks like a log line stays the value of helo."""
    evenpost = start(evenpost_before, scripted_servers(1), form)
    with RawClient(evenpost.port) as client:
        client.hello(name)
        client.send_message()
        client.command("QUIT", 221)
    evenpost.program.wait_log("event.{1,3}session")
    lines = lines_of(evenpost, form)
    (line,) = [l for l in lines if l.get("event") == "message"]
    assert list(line) == _MESSAGE_KEYS
    # Octets are logged one by one, whatever alphabet they are of.
    assert line["helo"].encode("latin-1") == name.encode()


@pytest.mark.parametrize("form", ["logfmt", "json"])
def test_control_characters_in_a_name(evenpost_before, scripted_servers, form):
    """I6: line ends and escapes in EHLO are no command, and no line of the log."""
    evenpost = start(evenpost_before, scripted_servers(1), form)
    with RawClient(evenpost.port) as client:
        client.expect(220)
        client.send(b"EHLO a\nlevel=error event=forged\x1b[31m\0\r\n")
        client.expect(500)
        client.expect(500)
        client.command("QUIT", 221)
    evenpost.program.wait_log("event.{1,3}session")
    assert not [l for l in lines_of(evenpost, form) if l.get("event") == "forged"]
    assert "\x1b" not in evenpost.program.log()


@pytest.mark.parametrize("form", ["logfmt", "json"])
def test_forged_addresses(evenpost_before, scripted_servers, form):
    """I6: a quoted local part may hold what it likes."""
    evenpost = start(evenpost_before, scripted_servers(1), form)
    address = '"a b=c \\" event=message"@a.example'
    with RawClient(evenpost.port) as client:
        client.hello()
        client.send_message(sender=address)
        client.command("QUIT", 221)
    evenpost.program.wait_log("event.{1,3}session")
    (line,) = [l for l in lines_of(evenpost, form) if l.get("event") == "message"]
    assert list(line) == _MESSAGE_KEYS
    assert line["from"] == address


@pytest.mark.parametrize("form", ["logfmt", "json"])
def test_forged_reply(evenpost_before, scripted_servers, form):
    """I6: nor can a server: escapes, quotes, and octets that are no UTF-8."""
    (server,) = scripted_servers(1)
    server.on("end", b'554 5.7.1 \x1b[31m"x" event=message \xff\xfe\r\n')
    evenpost = start(evenpost_before, [server], form)
    with RawClient(evenpost.port) as client:
        client.hello()
        client.send_message(expected=554)
        client.command("QUIT", 221)
    evenpost.program.wait_log("event.{1,3}session")
    log = (evenpost.directory / f"{evenpost.name}.log").read_bytes()
    assert b"\x1b" not in log and b"\xff" not in log
    (line,) = [l for l in lines_of(evenpost, form) if l.get("event") == "message"]
    assert list(line) == _MESSAGE_KEYS
    assert line["reply"].startswith("554 5.7.1 ")


def test_one_line_for_each_event(evenpost_before, scripted_servers):
    """Logs: a session, its messages, its rejections: one line each."""
    (server,) = scripted_servers(1)
    server.on("rcpt", "550 5.1.1 nobody", "250 Ok")
    evenpost = evenpost_before(server)
    with RawClient(evenpost.port) as client:
        client.hello()
        client.command("FROB", 500)
        client.command("MAIL FROM:<ann@a.example>", 250)
        client.command("RCPT TO:<nobody@b.example>", 550)
        client.command("RSET", 250)
        client.send_message()
        client.command("QUIT", 221)
    (session,) = evenpost.wait_event("session")
    (message,) = evenpost.log_events("message")
    rejects = evenpost.log_events("reject")
    assert [(r["phase"], r["reason"]) for r in rejects] == [
        ("command", "unknown-command"),
        ("rcpt", "server"),
    ]
    assert {l["session"] for l in (session, message, *rejects)} == {session["session"]}
    assert session["messages"] == "1" and session["end"] == "quit"


@pytest.mark.parametrize("form", ["logfmt", "json"])
def test_log_that_nobody_reads(scratch, scripted_servers, form):
    """R11: a full log holds up no mail; it says how many lines are missing."""
    fifo = scratch / "log"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    (server,) = scripted_servers(1)
    evenpost = Evenpost(
        scratch,
        {"hubs": configure_pool({"s1": server.address})},
        log={"to": str(fifo), "format": form, "level": "info"},
    ).start()
    group = ["MAIL FROM:<ann@a.example>", "RCPT TO:<bob@b.example>", "BDAT 1 LAST"]
    with RawClient(evenpost.port) as client:
        client.hello()
        # Some 400 octets each: far more than pipe and ring hold.
        for _ in range(5000):
            client.send("\r\n".join([*group, "x"]).encode())
            for _ in group:
                client.expect(250)
        client.command("QUIT", 221)
    octets = bytearray()

    def drained():
        while True:
            try:
                octets.extend(os.read(reader, 65536))
            except BlockingIOError:
                return b"suppressed" in octets and octets.endswith(b"\n")

    wait_until(drained, "the line that says how many are missing")
    read = json.loads if form == "json" else read_logfmt
    lines = [read(line) for line in octets.decode().splitlines()]
    assert all({"time", "level", "event"} <= set(line) for line in lines)
    messages = [line for line in lines if line["event"] == "message"]
    assert all(list(message) == _MESSAGE_KEYS for message in messages)
    os.close(reader)
    evenpost.stop()


def test_log_that_can_not_be_reopened(scratch, scripted_servers):
    """SIGUSR1: without a new file the old one is kept, and says why."""
    (scratch / "logs").mkdir()
    file = scratch / "logs" / "log"
    (server,) = scripted_servers(1)
    evenpost = Evenpost(
        scratch,
        {"hubs": configure_pool({"s1": server.address})},
        log={"to": str(file), "format": "logfmt", "level": "info"},
    ).start()
    (scratch / "logs").rename(scratch / "old")
    evenpost.program.signal(signal.SIGUSR1)
    old = scratch / "old" / "log"
    wait_until(lambda: "reopen: No such file" in old.read_text(), "the warning")
    (scratch / "logs").mkdir()
    evenpost.program.signal(signal.SIGUSR1)
    wait_until(file.exists, "the new file")
    evenpost.stop()


def test_stop_with_a_log_that_nobody_reads(scratch, scripted_servers):
    """Stop: a reader of the log that hangs does not hold it up."""
    fifo = scratch / "log"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, 4096)
    (server,) = scripted_servers(1)
    evenpost = Evenpost(
        scratch,
        {"hubs": configure_pool({"s1": server.address})},
        log={"to": str(fifo), "format": "logfmt", "level": "info"},
    ).start()
    for _ in range(50):
        with RawClient(evenpost.port) as client:
            client.hello()
            client.command("QUIT", 221)
    evenpost.stop()
    os.close(reader)
