"""How evenpost ends: threats section 6 (Shutdown); protocol Clients: Stop."""

import signal
import socket
import threading

import pytest

from harness.raw_client import RawClient
from harness.scripted_server import Wait
from harness.waiting import wait_until

_STOPPED = "421 4.3.2"


def begin(client, *commands):
    client.hello()
    for command in commands:
        client.command(command, 3 if command == "DATA" else 2)


_ENVELOPE = ("MAIL FROM:<ann@a.example>", "RCPT TO:<bob@b.example>")


def ask_stop(evenpost):
    """SIGTERM; returns when nobody is let in any more."""
    evenpost.program.signal(signal.SIGTERM)

    def refuses():
        try:
            socket.create_connection(("127.0.0.1", evenpost.port)).close()
            return False
        except ConnectionRefusedError:
            return True
        except ConnectionResetError:
            return False  # it came in the very moment

    wait_until(refuses, "evenpost to let nobody in")


def wait_end(evenpost):
    status = evenpost.program.process.wait(30)
    assert status == 0, evenpost.program.tail()


@pytest.mark.threads
def test_idle_clients(evenpost_before, scripted_servers):
    """Stop: who is idle, at whatever point, hears 421 4.3.2 and the end."""
    evenpost = evenpost_before(*scripted_servers(1))
    clients = [RawClient(evenpost.port) for _ in range(8)]
    for n, client in enumerate(clients):
        if n % 2:
            begin(client)
        else:
            client.expect(220)
    clients[1].command("MAIL FROM:<ann@a.example>", 250)
    ask_stop(evenpost)
    for client in clients:
        client.expect(_STOPPED)
        assert client.read_to_end() == b""
    wait_end(evenpost)


@pytest.mark.threads
def test_message_in_flight(evenpost_before, scripted_servers):
    """Stop: a message that is under way is finished, then its client hears 421."""
    (server,) = scripted_servers(1)
    evenpost = evenpost_before(server, listener={"add-received": "never"})
    with RawClient(evenpost.port) as client, RawClient(evenpost.port) as idle:
        begin(idle)
        begin(client, *_ENVELOPE, "DATA")
        client.send(b"Subject: a\r\n")
        ask_stop(evenpost)
        idle.expect(_STOPPED)
        client.send(b"\r\nb\r\n.\r\n")
        client.expect("250 2.0.0 Ok: queued")
        client.expect(_STOPPED)
        assert client.read_to_end() == b""
    wait_end(evenpost)
    assert [m.content for m in server.messages] == [b"Subject: a\r\n\r\nb\r\n"]


def test_pipelined_client(evenpost_before, scripted_servers):
    """Stop: the next message of a client that pipelines is not begun."""
    (server,) = scripted_servers(1)
    evenpost = evenpost_before(server)
    with RawClient(evenpost.port) as client:
        begin(client, *_ENVELOPE, "DATA")
        ask_stop(evenpost)
        envelope = "".join(f"{command}\r\n" for command in _ENVELOPE).encode()
        client.send(b"a\r\n.\r\n" + envelope + b"DATA\r\n")
        client.expect("250 2.0.0 Ok: queued")
        client.expect(_STOPPED)
        assert client.read_to_end() == b""
    wait_end(evenpost)


def test_waiting_for_the_dot(evenpost_before, scripted_servers):
    """Stop: a server that sits on the dot is waited for; the 250 is earned."""
    (server,) = scripted_servers(1)
    accept = threading.Event()
    server.on("end", Wait(accept, "250 2.0.0 at last"))
    evenpost = evenpost_before(server)
    with RawClient(evenpost.port) as client:
        begin(client, *_ENVELOPE, "DATA")
        client.send(b"a\r\n.\r\n")
        server.wait_for(lambda s: s.messages, "the message")
        ask_stop(evenpost)
        accept.set()
        client.expect("250 2.0.0 at last")
        client.expect(_STOPPED)
    wait_end(evenpost)


def test_warm_connections_are_left_politely(evenpost_before, scripted_servers):
    """Stop: idle servers hear QUIT, and their 221 is waited for."""
    (server,) = scripted_servers(1)
    evenpost = evenpost_before(server, pool={"health": {"probe": "none"}})
    with RawClient(evenpost.port) as client:
        begin(client, *_ENVELOPE, "DATA")
        client.send(b"a\r\n.\r\n")
        client.expect(250)
        client.command("QUIT", 221)
    may_leave = threading.Event()
    server.on("quit", Wait(may_leave, "221 Bye"))
    ask_stop(evenpost)
    server.wait_for(lambda s: s.commands()[-1] == "QUIT", "QUIT")
    assert evenpost.program.is_alive()
    may_leave.set()
    wait_end(evenpost)


@pytest.mark.threads
def test_shutdown_timeout(evenpost_before, scripted_servers):
    """Stop: after shutdown-timeout what is in flight is cut, and does not exist."""
    (server,) = scripted_servers(1)
    evenpost = evenpost_before(server, **{"shutdown-timeout": "300ms"})
    with RawClient(evenpost.port) as client:
        begin(client, *_ENVELOPE, "DATA")
        client.send(b"Subject: a\r\n")
        ask_stop(evenpost)
        heard = client.read_to_end()
        assert not heard.startswith(b"250"), heard
    wait_end(evenpost)
    assert not server.messages


@pytest.mark.threads
def test_second_signal(evenpost_before, scripted_servers):
    """Stop: a second SIGTERM waits for nobody."""
    (server,) = scripted_servers(1)
    evenpost = evenpost_before(server)
    with RawClient(evenpost.port) as client:
        begin(client, *_ENVELOPE, "DATA")
        ask_stop(evenpost)
        evenpost.program.signal(signal.SIGTERM)
        assert not client.read_to_end().startswith(b"250")
    wait_end(evenpost)
    assert not server.messages


@pytest.mark.threads
@pytest.mark.parametrize("rest", [(), (signal.SIGTERM,)], ids=["two", "three"])
def test_signals_at_once(evenpost_before, scripted_servers, rest):
    """Stop: two signals that are read together are as good as one after the other."""
    (server,) = scripted_servers(1)
    evenpost = evenpost_before(server)
    with RawClient(evenpost.port) as client:
        begin(client, *_ENVELOPE, "DATA")
        for number in (signal.SIGSTOP, signal.SIGTERM, signal.SIGINT, signal.SIGCONT, *rest):
            evenpost.program.signal(number)
        assert not client.read_to_end().startswith(b"250")
    wait_end(evenpost)
    assert not server.messages


def test_kill_in_the_message(evenpost_before, scripted_servers):
    """Kill: no 250 that was not earned, and no message at the server."""
    (server,) = scripted_servers(1)
    evenpost = evenpost_before(server)
    with RawClient(evenpost.port) as client:
        begin(client, *_ENVELOPE, "DATA")
        client.send(b"Subject: a\r\n")
        server.wait_for(
            lambda s: any(b"Subject: a" in c.received for c in s.connections),
            "the content",
        )
        evenpost.kill()
        assert client.read_to_end() == b""
    server.wait_for(
        lambda s: all(c.closed for c in s.connections), "the end of the connections"
    )
    assert not server.messages


def test_kill_behind_the_dot(evenpost_before, scripted_servers):
    """Kill: the case of RFC 1047: the server has it, the client has not heard so."""
    (server,) = scripted_servers(1)
    accept = threading.Event()
    server.on("end", Wait(accept, "250 2.0.0 at last"))
    evenpost = evenpost_before(server)
    with RawClient(evenpost.port) as client:
        begin(client, *_ENVELOPE, "DATA")
        client.send(b"a\r\n.\r\n")
        server.wait_for(lambda s: s.messages, "the message")
        evenpost.kill()
        accept.set()
        assert client.read_to_end() == b""
