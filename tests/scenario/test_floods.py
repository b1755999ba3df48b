"""Clients that cost time: threats R1, R3, R11; protocol Clients: Time-outs."""

import socket
import threading

import pytest

from harness.raw_client import RawClient
from harness.tools import Sink

# Octets that trickle come this often, far below every time-out.
_PAUSE = 0.03


def trickle(client, octets):
    """Send one octet after the other until evenpost has enough; what it said then."""
    stop = threading.Event()

    def send():
        for octet in octets:
            if stop.wait(_PAUSE):
                return
            try:
                client.send(bytes([octet]))
            except OSError:
                return

    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    heard = client.read_to_end()
    stop.set()
    sender.join()
    return heard


def begin(client, *commands):
    client.hello()
    for command in commands:
        client.command(command, 3 if command == "DATA" else 2)


_ENVELOPE = ("MAIL FROM:<ann@a.example>", "RCPT TO:<bob@b.example>")


def test_trickled_command(evenpost_before, scripted_servers):
    """R1: a command has timeouts.command in all, however often an octet of it comes."""
    evenpost = evenpost_before(
        *scripted_servers(1), listener={"timeouts": {"command": "2s"}}
    )
    with RawClient(evenpost.port) as client:
        begin(client)
        assert trickle(client, b"NOOP " + b"x" * 200).startswith(b"421 4.4.2 ")


def test_trickled_message(evenpost_before, scripted_servers):
    """R1, Time-outs: a block of the message has timeouts.data in all."""
    (server,) = scripted_servers(1)
    evenpost = evenpost_before(server, listener={"timeouts": {"data": "300ms"}})
    with RawClient(evenpost.port) as client:
        begin(client, *_ENVELOPE, "DATA")
        assert trickle(client, b"x" * 200).startswith(b"421 4.4.2 ")
    evenpost.wait_event("message", result="aborted")
    assert not server.messages


def test_slow_message_over_the_limit(evenpost_before, scripted_servers):
    """R9: what is thrown away counts as coming in: 552 at its end, no time-out before."""
    (server,) = scripted_servers(1)
    evenpost = evenpost_before(
        server, listener={"max-message-size": "8k", "timeouts": {"data": "2s"}}
    )
    with RawClient(evenpost.port) as client:
        begin(client, *_ENVELOPE, "DATA")
        client.send(b"x" * 70 + b"\r\n")
        for _ in range(80):  # more than 2 s in all, and never without a block for long
            threading.Event().wait(_PAUSE)
            client.send((b"y" * 70 + b"\r\n") * 20)
        client.send(b".\r\n")
        client.expect(552)
    assert not server.messages


def test_trickled_session(evenpost_before, scripted_servers):
    """Time-outs: a session that is busy all the time has timeouts.session in all."""
    evenpost = evenpost_before(
        *scripted_servers(1), listener={"timeouts": {"session": "2s"}}
    )
    with RawClient(evenpost.port) as client:
        begin(client)
        heard = trickle(client, b"VRFY x\r\n" * 30)
        assert heard.splitlines()[-1].startswith(b"421 4.4.2 "), heard


@pytest.mark.parametrize("command", ["NOOP", "RSET", "VRFY x", "EHLO x", "HELP"])
def test_flood_of_idle_commands(evenpost_before, scripted_servers, command):
    """R3: a hundred that lead nowhere, then 421, in one write or one by one."""
    evenpost = evenpost_before(*scripted_servers(1))
    with RawClient(evenpost.port) as client:
        begin(client)
        client.send(command.encode() + b"\r\n")
        replies = 1
        while (reply := client.read_reply()).code != 421:
            replies += 1
            assert replies <= 101
            client.send(command.encode() + b"\r\n")
        assert reply.lines == ["421 4.7.0 Too many commands without mail"]
        assert client.read_to_end() == b""


def test_flood_of_errors(evenpost_before, scripted_servers):
    """R3: thousands of bad commands in one write are not worked through."""
    evenpost = evenpost_before(*scripted_servers(1))
    with RawClient(evenpost.port) as client:
        begin(client)
        client.send(b"FROB\r\n" * 19)
        for _ in range(19):
            client.expect(500)
        client.send(b"FROB\r\n")
        assert client.expect(421).text.startswith("4.7.0 ")
    evenpost.wait_event("session")
    assert len(evenpost.log_events("reject")) <= 20, "the log is flooded"


def test_thousands_of_messages_in_one_session(evenpost_before, scripted_servers):
    """R3: work is no flood: 1,000 transactions in one session, pipelined."""
    (server,) = scripted_servers(1)
    evenpost = evenpost_before(server)
    count = 1000
    with RawClient(evenpost.port) as client:
        begin(client)
        group = "\r\n".join([*_ENVELOPE, "BDAT 3 LAST", "a", ""]).encode()

        def send():
            for _ in range(count):
                client.send(group)

        sender = threading.Thread(target=send)
        sender.start()
        for _ in range(3 * count):
            client.expect(250)
        sender.join()
        client.command("QUIT", 221)
    assert len(server.messages) == count


def test_many_recipients(evenpost_before, scripted_servers):
    """F10, R3: 1,000 recipients in one group: all answered, in order."""
    (server,) = scripted_servers(1)
    evenpost = evenpost_before(server)
    with RawClient(evenpost.port) as client:
        begin(client, "MAIL FROM:<ann@a.example>")
        recipients = [f"RCPT TO:<user{n}@b.example>\r\n" for n in range(1001)]
        client.send("".join(recipients).encode())
        for _ in range(1000):
            client.expect("250 2.1.5")
        client.expect("452 4.5.3")
        client.command("DATA", 354)
        client.send(b"a\r\n.\r\n")
        client.expect(250)
    (message,) = server.messages
    assert message.recipients == [f"TO:<user{n}@b.example>" for n in range(1000)]


def test_connections_without_a_word(evenpost_before, scripted_servers):
    """R1, R3: hundreds that connect and go, half of them with a reset."""
    evenpost = evenpost_before(*scripted_servers(1))
    for n in range(300):
        client = RawClient(evenpost.port)
        if n % 2:
            client.reset()
        else:
            client.close()
    with RawClient(evenpost.port) as client:
        begin(client, *_ENVELOPE)


def test_connect_times_out(evenpost_before, scripted_servers):
    """Servers: Time-outs, connect: a server that takes no connection; another does."""
    good = scripted_servers(1)[0]
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = full.getsockname()
        # Two fill the queue of a listener that nobody accepts from.
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(address)

        class Full:
            address = "%s:%d" % full.getsockname()

        evenpost = evenpost_before(
            Full,
            good,
            pool={"health": {"probe": "none"}, "timeouts": {"connect": "200ms"}},
        )
        with RawClient(evenpost.port) as client:
            begin(client, *_ENVELOPE, "DATA")
            client.send(b".\r\n")
            client.expect(250)
        for filler in fillers:
            filler.close()
        failures = evenpost.pools()["hubs"]["s1"]["failures"]
    assert len(good.messages) == 1
    assert failures["connect"] + failures["timeout"] >= 1, failures


def test_more_refusals_than_fit_into_memory(evenpost_before, scripted_servers):
    """R2, PIPELINING: what is refused here by the thousand is all answered."""
    evenpost = evenpost_before(*scripted_servers(1), listener={"max-recipients": 1})
    count = 4000
    with RawClient(evenpost.port) as client:
        begin(client, *_ENVELOPE)
        group = b"RCPT TO:<bill@b.example>\r\n" * count + b"RSET\r\n"
        sender = threading.Thread(target=client.send, args=(group,))
        sender.start()
        for _ in range(count):
            client.expect("452 4.5.3")
        client.expect(250)
        sender.join()


@pytest.mark.parametrize("buffer, code", [("16m", 250), ("1m", 451)])
def test_server_that_stops_reading(evenpost_before, scratch, buffer, code):
    """Servers: Time-outs, block; section 6: sent again if all of it is still held."""
    stuck = Sink(scratch, "--fault", "body=silence:1000").start()
    good = Sink(scratch).start()
    evenpost = evenpost_before(
        stuck,
        good,
        pool={
            "health": {"probe": "none"},
            "retry": {"buffer": buffer},
            "timeouts": {"block": "2s"},
        },
    )
    content = (b"x" * 76 + b"\r\n") * 130000
    with RawClient(evenpost.port) as client:
        begin(client, *_ENVELOPE, "DATA")
        client.send(content + b".\r\n")
        client.expect(code)
    assert stuck.stop()["messages"] == 0
    assert good.stop()["messages"] == (1 if code == 250 else 0)
