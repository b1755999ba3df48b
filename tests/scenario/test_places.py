"""Those who wait for a place at a server (pool key queue), and doors of all kinds."""

import signal
import socket
import threading
import time

import pytest

from harness.evenpost import Evenpost, configure_pool, configured
from harness.raw_client import RawClient
from harness.scripted_server import Wait
from harness.waiting import wait_until

_MESSAGE = ("MAIL FROM:<ann@a.example>", "RCPT TO:<bob@b.example>", "DATA")


def _take_its_time(_connection):
    """A server for which somebody always waits."""
    time.sleep(0.02)
    return "250 2.0.0 Ok"


@pytest.mark.threads
def test_waiting_does_not_spin(evenpost_before, scripted_servers):
    """queue: workers whose clients all wait do not keep each other awake."""
    (server,) = scripted_servers(1)
    accept = threading.Event()
    server.on("end", Wait(accept, "250 2.0.0 at last"))
    narrow = configured(server, max_connections=1)
    evenpost = evenpost_before(narrow, pool={"queue": "2s"}, workers=2)
    clients = [RawClient(evenpost.port) for _ in range(16)]
    clients[0].hello()
    for command in _MESSAGE:
        clients[0].command(command)
    clients[0].send(b"a\r\n.\r\n")
    server.wait_for(lambda s: s.messages, "the message")
    before = evenpost.program.processor_seconds()
    for client in clients[1:]:
        client.hello()
        client.command("MAIL FROM:<ann@a.example>", 250)
        client.send(b"RCPT TO:<bob@b.example>\r\n")
    for client in clients[1:]:
        client.expect("451 4.3.2")
    assert evenpost.program.processor_seconds() - before < 1
    accept.set()
    clients[0].expect("250 2.0.0 at last")
    for client in clients:
        client.close()


def test_between_two_messages_is_not_idle(evenpost_before, scripted_servers):
    """max-idle: more of them stay for a moment, and are used; then they go."""
    (server,) = scripted_servers(1)
    evenpost = evenpost_before(
        server,
        pool={"reuse": {"max-idle": 1}, "health": {"probe": "none"}},
        workers=1,
    )

    def send_two_at_once():
        """How many connections that took anew."""
        before = len(server.connections)
        with RawClient(evenpost.port) as first, RawClient(evenpost.port) as second:
            for client in (first, second):
                client.hello()
                for command in _MESSAGE:
                    client.command(command)
            for client in (first, second):
                client.send(b"a\r\n.\r\n")
                client.expect(250)
        return len(server.connections) - before

    assert send_two_at_once() == 2
    # again, where the machine takes longer than the moment
    wait_until(lambda: send_two_at_once() == 0, "two that are used again")
    server.wait_for(lambda s: sum(not c.closed for c in s.connections) == 1, "the end")
    (left,) = [c for c in server.connections if not c.closed]
    assert "QUIT" not in left.commands
    assert all(c.commands[-1] == "QUIT" for c in server.connections if c.closed)


@pytest.mark.threads
@pytest.mark.parametrize("identity", ["none", "proxy-v1"])
def test_no_worker_keeps_a_place(evenpost_before, scripted_servers, identity):
    """Clients of both workers want the one place all the time, until each has had it:
    nobody waits longer than the others allow."""
    (server,) = scripted_servers(expects_proxy=identity != "none")
    server.on("end", _take_its_time)
    evenpost = evenpost_before(
        configured(server, max_connections=1),
        pool={"queue": "20s", "identity": identity, "health": {"probe": "none"}},
        workers=2,
    )
    replies, sent, enough = [], [0] * 8, threading.Event()

    def send(number):
        with RawClient(evenpost.port) as client:
            client.hello()
            while not enough.is_set():
                for command in _MESSAGE:
                    replies.append(client.command(command).code)
                if replies[-1] != 354:
                    enough.set()
                    return
                client.send(b"a\r\n.\r\n")
                client.expect(250)
                sent[number] += 1
                if min(sent) >= 3:
                    enough.set()

    clients = [threading.Thread(target=send, args=(n,)) for n in range(len(sent))]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    assert set(replies) == {250, 354}


def test_room_at_two_pools_at_once(scratch, scripted_servers):
    """Connections to two servers become idle in one round of the loop, each of use to
    no client that waits: both make room."""
    servers, accept = scripted_servers(2, expects_proxy=True), threading.Event()
    pools = {}
    for name, server in zip(("one", "two"), servers):
        server.on("end", Wait(accept, "250 2.0.0 at last"), "250 2.0.0 Ok")
        narrow = {"s": {"address": server.address, "max-connections": 1}}
        pools[name] = configure_pool(
            narrow, identity="proxy-v1", health={"probe": "none"}, queue="1h"
        )
    evenpost = Evenpost(scratch, pools, {name: {"pool": name} for name in pools}, workers=1)
    evenpost.start()
    clients = []
    for port, server in zip(evenpost.ports.values(), servers):
        holder, waiter = RawClient(port), RawClient(port)
        clients += [holder, waiter]
        holder.hello()
        for command in _MESSAGE:
            holder.command(command)
        holder.send(b"a\r\n.\r\n")
        server.wait_for(lambda s: s.messages, "the message")
        waiter.hello()
        waiter.command(_MESSAGE[0], 250)
        waiter.send(_MESSAGE[1].encode() + b"\r\n")
    with RawClient(evenpost.port) as another:
        another.hello()  # the one worker has read all that came before
    evenpost.program.signal(signal.SIGSTOP)
    accept.set()
    for server in servers:
        server.wait_for(lambda s: s.accepted(), "the reply")
    evenpost.program.signal(signal.SIGCONT)
    for waiter in clients[1::2]:
        waiter.expect(250)
    for client in clients:
        client.close()
    evenpost.stop()


@pytest.mark.threads
def test_unix_listener(evenpost_before, scripted_servers, scratch):
    """bind: unix: all workers accept from the one path."""
    path = scratch / "smtp.sock"
    (server,) = scripted_servers(1)
    evenpost_before(server, listener={"bind": f"unix:{path}"}, workers=2)
    for _ in range(4):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(30)
            client.connect(str(path))
            assert client.recv(4) == b"220 "
