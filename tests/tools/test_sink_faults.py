"""evenpost-sink as a mail server that misbehaves: each fault does what it says."""

import socket
import struct
import time

import pytest

from harness.raw_client import RawClient
from harness.tools import stored_messages
from harness.waiting import wait_until

# The commands of a conversation, by the place at which their reply is.
STEPS = {
    "ehlo": b"EHLO client.example\r\n",
    "mail": b"MAIL FROM:<a@a.example>\r\n",
    "rcpt": b"RCPT TO:<b@b.example>\r\n",
    "data": b"DATA\r\n",
    "end": b"body\r\n.\r\n",
    "rset": b"RSET\r\n",
    "quit": b"QUIT\r\n",
}
PLACES = ["greeting", *STEPS]


def converse_to(client, place):
    """Everything before the place, then the place's own command."""
    if place == "greeting":
        return
    client.expect(220)
    for name, command in STEPS.items():
        client.send(command)
        if name == place:
            return
        client.read_reply()


@pytest.mark.parametrize("place", PLACES)
def test_drop_closes_without_a_reply(sink, place):
    with RawClient(sink("--fault", f"{place}=drop").port) as client:
        converse_to(client, place)
        assert client.read_to_end() == b""


@pytest.mark.parametrize("place", PLACES)
def test_reset_closes_without_a_reply(sink, place):
    port = sink("--fault", f"{place}=reset").port
    with pytest.raises(ConnectionResetError):
        with RawClient(port) as client:
            converse_to(client, place)
            client.read_reply()


@pytest.mark.parametrize("place", PLACES)
def test_drop_after_reply(sink, place):
    with RawClient(sink("--fault", f"{place}=drop-after-reply").port) as client:
        converse_to(client, place)
        assert client.read_reply().code < 400
        assert client.read_to_end() == b""


@pytest.mark.parametrize("place", PLACES)
def test_reply_is_another_one(sink, place):
    with RawClient(sink("--fault", f"{place}=reply:451 4.3.0 not now").port) as client:
        converse_to(client, place)
        client.expect("451 4.3.0 not now")


@pytest.mark.parametrize("place", PLACES)
def test_reply_of_several_lines(sink, place):
    fault = f"{place}=reply:451-4.3.0 one\\r\\n451 4.3.0 two"
    with RawClient(sink("--fault", fault).port) as client:
        converse_to(client, place)
        assert client.read_reply().raw == b"451-4.3.0 one\r\n451 4.3.0 two\r\n"


@pytest.mark.parametrize("place", PLACES)
def test_421_closes(sink, place):
    with RawClient(sink("--fault", f"{place}=reply:421 4.3.2 leaving").port) as client:
        converse_to(client, place)
        client.expect("421 4.3.2 leaving")
        assert client.read_to_end() == b""


@pytest.mark.parametrize("place", PLACES)
def test_silence_says_nothing_and_stays(sink, place):
    with RawClient(sink("--fault", f"{place}=silence").port) as client:
        converse_to(client, place)
        client.socket.settimeout(0.1)
        with pytest.raises(TimeoutError):
            client.read_reply()
        client.send(b"NOOP\r\n")
        with pytest.raises(TimeoutError):
            client.read_reply()


@pytest.mark.parametrize("place", PLACES)
def test_delay_comes_late_and_whole(sink, place):
    port = sink("--fault", f"{place}=delay:200ms").port
    start = time.monotonic()
    with RawClient(port) as client:
        converse_to(client, place)
        assert client.read_reply().code < 400
        assert time.monotonic() - start > 0.15


def segments_heard(client):
    """How many with octets in them have come, however they were read: tcpi_data_segs_in
    of tcp(7)."""
    info = client.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 160)
    return struct.unpack_from("I", info, 152)[0]


@pytest.mark.parametrize("place", PLACES)
def test_split_sends_byte_by_byte(sink, place):
    with RawClient(sink("--fault", f"{place}=split").port) as client:
        converse_to(client, place)
        octets = len(client.read_reply().raw)
        assert segments_heard(client) >= octets


@pytest.mark.parametrize("place", PLACES)
def test_garbage_is_no_reply(sink, place):
    with RawClient(sink("--fault", f"{place}=garbage").port) as client:
        converse_to(client, place)
        line = client.read_line()
        assert b"\0" in line and not line[:3].isdigit()


@pytest.mark.parametrize("place", PLACES)
def test_raw_octets_instead_of_the_reply(sink, place):
    fault = f"{place}=raw:250-a\\r\\n\\x35\\t\\0\\\\\\r\\n"
    with RawClient(sink("--fault", fault).port) as client:
        converse_to(client, place)
        assert client.read_line() + client.read_line() == b"250-a\r\n5\t\0\\\r\n"


@pytest.mark.parametrize("place", PLACES)
def test_extra_octets_behind_the_reply(sink, place):
    with RawClient(sink("--fault", f"{place}=extra:250 unasked\\r\\n").port) as client:
        converse_to(client, place)
        assert client.read_reply().code < 400
        assert client.read_line() == b"250 unasked\r\n"


def test_flood_has_so_many_lines(sink):
    with RawClient(sink("--fault", "mail=flood:5000").port) as client:
        converse_to(client, "mail")
        assert len(client.read_reply().lines) == 5000
        client.command("RCPT TO:<b@b.example>", 250)


def test_replies_before_the_fault_are_sent(sink):
    with RawClient(sink("--fault", "data=drop").port) as client:
        client.hello()
        client.send(STEPS["mail"] + STEPS["rcpt"] + STEPS["data"])
        client.expect(250)
        client.expect(250)
        assert client.read_to_end() == b""


def test_replies_before_a_delay_are_not_late(sink):
    with RawClient(sink("--fault", "rcpt=delay:1h").port) as client:
        client.hello()
        client.send(STEPS["mail"] + STEPS["rcpt"])
        client.expect(250)


@pytest.mark.parametrize(
    "suffix, codes",
    [
        ("", [451] * 4),
        ("@1", [451, 250, 250, 250]),
        ("@3", [250, 250, 451, 250]),
        ("@2+", [250, 451, 451, 451]),
    ],
)
def test_occurrences_are_counted_over_all_connections(sink, suffix, codes):
    server = sink("--fault", f"mail=reply:451 4.3.0 no{suffix}")
    seen = []
    for _ in range(2):
        with RawClient(server.port) as client:
            client.hello()
            for _ in range(2):
                seen.append(client.command("MAIL FROM:<a@a.example>").code)
                client.command("RSET", 250)
    assert seen == codes


def test_an_at_sign_in_a_text_is_no_occurrence(sink):
    with RawClient(sink("--fault", "rcpt=reply:550 5.1.1 no x@b here").port) as client:
        converse_to(client, "rcpt")
        client.expect("550 5.1.1 no x@b here")


def test_faults_at_one_place_work_together(sink):
    whats = "reply:450 4.3.0 later", "delay:100ms", "split", "drop-after-reply"
    server = sink(*[part for what in whats for part in ("--fault", f"mail={what}")])
    with RawClient(server.port) as client:
        client.hello()
        start = time.monotonic()
        client.command("MAIL FROM:<a@a.example>", "450 4.3.0 later")
        assert time.monotonic() - start > 0.08
        assert client.read_to_end() == b""


def begin_body(client):
    client.hello()
    client.command("MAIL FROM:<a@a.example>", 250)
    client.command("RCPT TO:<b@b.example>", 250)
    client.command("DATA", 354)


def test_body_drop_after_so_many_bytes(sink):
    with RawClient(sink("--fault", "body=drop:4096").port) as client:
        begin_body(client)
        client.send(b"x" * 4000 + b"\r\n")
        client.socket.settimeout(0.1)
        with pytest.raises(TimeoutError):
            client.read_line()
        client.socket.settimeout(30)
        client.send(b"x" * 200 + b"\r\n")
        assert client.read_to_end() == b""


def test_body_shorter_than_the_fault_is_taken(sink):
    with RawClient(sink("--fault", "body=drop:4096").port) as client:
        begin_body(client)
        client.send(b"short\r\n.\r\n")
        client.expect(250)


def test_body_reset(sink):
    with RawClient(sink("--fault", "body=reset:10").port) as client:
        begin_body(client)
        client.send(b"x" * 20 + b"\r\n")
        with pytest.raises(ConnectionResetError):
            client.read_line()


def test_body_drop_counts_octets_of_chunks(sink):
    with RawClient(sink("--fault", "body=drop:4").port) as client:
        client.hello()
        client.command("MAIL FROM:<a@a.example>", 250)
        client.command("RCPT TO:<b@b.example>", 250)
        client.send(b"BDAT 10 LAST\r\n12345")
        assert client.read_to_end() == b""


def test_early_reply_comes_before_the_dot_and_only_once(sink):
    server = sink("--fault", "body=early-reply:10@1")
    with RawClient(server.port) as client:
        begin_body(client)
        client.send(b"0123456789abc\r\n")
        client.expect(250)
        client.send(b".\r\nNOOP\r\nMAIL FROM:<c@c.example>\r\n")
        client.expect("250 2.0.0 Ok")
        client.expect("250 2.1.0 Ok")
    assert server.stop()["messages"] == 1


def test_body_reply_comes_before_the_dot(sink):
    with RawClient(sink("--fault", "body=reply:552 5.3.4 enough").port) as client:
        begin_body(client)
        client.send(b"line\r\n")
        client.expect("552 5.3.4 enough")
        client.send(b"line\r\n.\r\nRSET\r\n")
        client.expect("250 2.0.0")


def test_body_slow_reads_at_that_speed(sink):
    with RawClient(sink("--fault", "body=slow:20k").port) as client:
        begin_body(client)
        start = time.monotonic()
        client.send(b"x" * 78 + b"\r\n" + (b"y" * 78 + b"\r\n") * 99 + b".\r\n")
        client.expect(250)
        assert time.monotonic() - start > 0.25
        client.command("NOOP", 250)


def test_body_silence(sink):
    with RawClient(sink("--fault", "body=silence").port) as client:
        begin_body(client)
        client.send(b"line\r\n.\r\n")
        client.socket.settimeout(0.1)
        with pytest.raises(TimeoutError):
            client.read_line()


def test_body_delay_comes_once_in_a_message(sink):
    with RawClient(sink("--fault", "body=delay:150ms").port) as client:
        begin_body(client)
        start = time.monotonic()
        client.send_split(b"line\r\n" * 10 + b".\r\n")
        client.expect(250)
        assert 0.1 < time.monotonic() - start


@pytest.mark.parametrize(
    "fault, kept",
    [
        ("drop", 1),
        ("drop-after-reply", 1),
        ("silence", 1),
        ("garbage", 1),
        ("reply:451 4.3.0 no", 0),
        ("reply:550 5.6.0 no", 0),
        ("reply:250 2.0.0 odd", 1),
    ],
)
def test_what_the_server_has_after_the_end_of_data(sink, scratch, fault, kept):
    """A lost reply leaves the message with the server; a refusal does not."""
    server = sink("--fault", f"end={fault}", "--maildir", scratch / "mail")
    with RawClient(server.port) as client:
        converse_to(client, "end")
        if fault == "silence":
            wait_until(lambda: server.totals()["messages"], "the message")
        elif fault == "drop":
            assert client.read_to_end() == b""
        else:
            client.read_line()
    assert len(stored_messages(scratch / "mail")) == kept
    assert server.stop()["messages"] == kept


def test_chunk_is_a_place_of_its_own(sink):
    with RawClient(sink("--fault", "chunk=reply:451 4.3.0 no").port) as client:
        client.hello()
        client.command("MAIL FROM:<a@a.example>", 250)
        client.command("RCPT TO:<b@b.example>", 250)
        client.send(b"BDAT 4\r\nbody")
        client.expect("451 4.3.0 no")


def test_faults_are_counted(sink):
    server = sink("--fault", "mail=reply:451 4.3.0 no@1")
    with RawClient(server.port) as client:
        client.hello()
        client.command("MAIL FROM:<a@a.example>", 451)
        client.command("MAIL FROM:<a@a.example>", 250)
    assert server.stop()["faults"] == 1
