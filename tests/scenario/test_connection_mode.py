"""mode: connection: a server for each connection, and its bytes untouched."""

import random
import socket
import threading

import pytest

from harness.byte_server import ByteServer, echo, read_exactly, read_to_end
from harness.evenpost import configured
from harness.proxy_header import read_header, version_2
from harness.raw_client import RawClient
from harness.scripted_server import DROP, HANG, RESET
from harness.waiting import wait_until

CONNECTION = {"mode": "connection"}
NO_PROBE = {"health": {"probe": "none"}}
# How a TLS client begins: no SMTP server would be spoken to like this.
TLS_HELLO = bytes.fromhex("160301020001000001fc0303") + bytes(range(256))


@pytest.fixture
def byte_servers():
    servers = []

    def make(handle, count=1):
        made = [ByteServer(handle) for _ in range(count)]
        servers.extend(made)
        return made

    yield make
    for server in servers:
        server.stop()


@pytest.fixture
def tunnel_before(evenpost_before):
    """An evenpost in connection mode before servers that are not probed."""

    def start(*servers, pool=None, listener=None, **top):
        return evenpost_before(
            *servers,
            pool={**NO_PROBE, **(pool or {})},
            listener={**CONNECTION, **(listener or {})},
            **top,
        )

    return start


def greeting_of(evenpost):
    with RawClient(evenpost.port) as client:
        return client.read_reply().lines


def test_a_session_passes_word_for_word(tunnel_before, scripted_servers):
    (server,) = scripted_servers(1)
    server.on("greeting", "220-scripted.test one\n220 two")
    server.on("ehlo", "250-scripted.test\n250-XODD stuff\n250 HELP")
    server.on("other", "299 whatever you say")
    evenpost = tunnel_before(server)
    with RawClient(evenpost.port) as client:
        assert client.read_reply().raw == b"220-scripted.test one\r\n220 two\r\n"
        hello = client.command("ehlo client.example")
        assert hello.raw == b"250-scripted.test\r\n250-XODD stuff\r\n250 HELP\r\n"
        client.command("whatever \x01 \u00fc", 299)
        client.command("QUIT", 221)
        assert client.read_to_end() == b""
    assert server.commands() == ["ehlo client.example", "whatever \x01 \u00fc", "QUIT"]
    (line,) = evenpost.wait_event("session")
    assert (line["server"], line["client"], line["end"]) == ("s1", "127.0.0.1", "closed")
    sent = sum(len(c.received) for c in server.connections)
    assert int(line["bytes_in"]) == sent and int(line["bytes_out"]) > 0
    counts = evenpost.pools()["hubs"]["s1"]
    assert (counts["messages"], counts["active"]) == (1, 0)
    assert counts["bytes"] == int(line["bytes_in"]) + int(line["bytes_out"])


@pytest.mark.parametrize(
    "greeting",
    ["421 4.3.2 going down", "450 4.7.1 not now", "554 5.3.2 no service", DROP, RESET],
    ids=["421", "450", "554", "closed", "reset"],
)
def test_another_server_unseen(tunnel_before, scripted_servers, greeting):
    first, second = scripted_servers(2)
    first.on("greeting", greeting)
    second.on("greeting", "220 second")
    evenpost = tunnel_before(first, second)
    for _ in range(4):
        assert greeting_of(evenpost) == ["220 second"]
    failures = evenpost.pools()["hubs"]["s1"]["failures"]
    # A reset can be seen before the connection is seen to stand.
    assert failures["greeting"] + (failures["connect"] if greeting == RESET else 0) >= 2
    assert evenpost.messages() == {"s1": 0, "s2": 4}


def test_a_refusal_in_pieces(tunnel_before, scripted_servers):
    """Not a byte of it reaches the client before it is known what it is."""
    first, second = scripted_servers(2)
    first.on("greeting", [b"4", b"21-go", b" away\r\n4", b"21 now\r\n"])
    second.on("greeting", "220 second")
    evenpost = tunnel_before(first, second)
    for _ in range(2):
        assert greeting_of(evenpost) == ["220 second"]


def test_a_proxy_header_taken_for_a_command(tunnel_before, scripted_servers):
    """Not a byte of the client's reaches a server that does not know who it is."""
    first, second = scripted_servers(1) + scripted_servers(expects_proxy=True)
    first.on("greeting", "220 first\n500 5.5.2 command not recognized")
    second.on("greeting", "220 second")
    evenpost = tunnel_before(first, second, pool={"identity": "proxy-v1"})
    for _ in range(2):
        assert greeting_of(evenpost) == ["220 second"]
    (line,) = evenpost.wait_event("fault")
    assert line["why"].startswith("s1 does not understand a PROXY header")


REFUSES_HEADER = "220 first\n500 5.5.2 command not recognized"


@pytest.mark.parametrize("probe", ["none", "tcp"])
@pytest.mark.parametrize("identity", ["proxy-v1", "proxy-v2"])
def test_a_proxy_header_that_is_taken_at_last(
    tunnel_before, scripted_servers, identity, probe
):
    """A connection that works ends the fault: no probe of these could."""
    (server,) = scripted_servers()
    server.on("greeting", REFUSES_HEADER)
    evenpost = tunnel_before(
        server, pool={"identity": identity, "health": {"probe": probe}}
    )
    assert greeting_of(evenpost)[0].startswith("421")
    assert evenpost.get("/readyz")[0] == 503
    server.expects_proxy = True
    server.on("greeting", "220 first")
    with RawClient(evenpost.port) as client:
        client.hello()
        evenpost.wait_event("fault", why="mended")
    assert evenpost.pools()["hubs"]["s1"]["fault"] is None
    assert evenpost.get("/readyz")[0] == 200


def test_a_greeting_alone_takes_no_proxy_header(tunnel_before, scripted_servers):
    """What refuses it may come later: the fault lasts."""
    (server,) = scripted_servers(expects_proxy=True)
    server.on("greeting", REFUSES_HEADER, "220 first")
    server.on("ehlo", "500 5.5.2 command not recognized\n250 scripted.test")
    evenpost = tunnel_before(server, pool={"identity": "proxy-v1"})
    assert greeting_of(evenpost)[0].startswith("421")
    with RawClient(evenpost.port) as client:
        client.expect(220)
        client.command("EHLO client.example", 500)
        client.expect(250)
        client.command("QUIT", 221)
    evenpost.wait_event("session", end="closed")
    assert len(evenpost.log_events("fault")) == 1
    assert evenpost.get("/readyz")[0] == 503


def test_connect_refused(tunnel_before, scripted_servers):
    first, second = scripted_servers(2)
    second.on("greeting", "220 second")
    first.stop()
    evenpost = tunnel_before(first, second)
    for _ in range(4):
        assert greeting_of(evenpost) == ["220 second"]


def test_no_greeting_in_time(tunnel_before, scripted_servers):
    first, second = scripted_servers(2)
    first.on("greeting", HANG)
    second.on("greeting", "220 second")
    evenpost = tunnel_before(first, second, pool={"timeouts": {"greeting": "1s"}})
    for _ in range(2):
        assert greeting_of(evenpost) == ["220 second"]


def test_a_client_that_leaves_before_the_greeting(tunnel_before, scripted_servers):
    """That is no success of a server that hangs, and nobody waits for its end."""
    first, second = scripted_servers(2)
    first.on("greeting", HANG)
    second.on("greeting", "220 second")

    evenpost = tunnel_before(
        first,
        configured(second, preference=20),
        pool={
            "timeouts": {"greeting": "1s"},
            "passive": {"failures": 2, "eject": "1h"},
        },
    )
    assert greeting_of(evenpost) == ["220 second"]
    with RawClient(evenpost.port):
        first.wait_for(lambda s: len(s.connections) == 2, "the second connection")
    evenpost.wait_event("session", count=2)
    assert evenpost.pools()["hubs"]["s1"]["state"] == "ejected"


def test_no_server_at_all(tunnel_before, scripted_servers):
    servers = scripted_servers(2)
    evenpost = tunnel_before(*servers)
    for server in servers:
        server.on("greeting", "554 no")
    with RawClient(evenpost.port) as client:
        client.expect("421 4.3.2")
        assert client.read_to_end() == b""
    (line,) = evenpost.wait_event("session")
    assert (line["end"], line["attempts"]) == ("no server", "2")
    (line,) = evenpost.wait_event("reject")
    assert line["reason"] == "no-server"


@pytest.mark.parametrize("greets", [True, False])
def test_a_client_that_speaks_first(tunnel_before, byte_servers, greets):
    """Implicit TLS passed through: the server says nothing before its client does."""
    (server,) = byte_servers(echo)
    evenpost = tunnel_before(server, pool={"greets": greets})
    with RawClient(evenpost.port) as client:
        client.send(TLS_HELLO)
        assert read_exactly(client.socket, len(TLS_HELLO)) == TLS_HELLO


def test_a_greeting_that_is_not_smtp(tunnel_before, byte_servers):
    def imap(connected):
        connected.sendall(b"* OK IMAP4rev1 ready\r\n")
        echo(connected)

    (server,) = byte_servers(imap)
    with RawClient(tunnel_before(server).port) as client:
        assert client.read_line() == b"* OK IMAP4rev1 ready\r\n"
        client.send(b"a NOOP\r\n")
        assert client.read_line() == b"a NOOP\r\n"


def test_half_close_both_ways(tunnel_before, byte_servers):
    """Each direction has an end of its own, and passes it on alone."""
    ended, answer = threading.Event(), threading.Event()

    def server_first(connected):
        connected.sendall(b"220 hello\r\n")
        heard = read_to_end(connected)
        ended.set()
        answer.wait(30)
        connected.sendall(b"heard %d\r\n" % len(heard))

    (server,) = byte_servers(server_first)
    with RawClient(tunnel_before(server).port) as client:
        client.expect(220)
        client.send(b"x" * 1000)
        client.half_close()
        assert ended.wait(30)
        answer.set()
        assert client.read_to_end() == b"heard 1000\r\n"


def test_the_servers_end_first(tunnel_before, byte_servers):
    heard = []

    def server_ends(connected):
        connected.sendall(b"220 hello\r\n221 bye\r\n")
        connected.shutdown(socket.SHUT_WR)
        heard.append(read_to_end(connected))

    (server,) = byte_servers(server_ends)
    with RawClient(tunnel_before(server).port) as client:
        assert client.read_to_end() == b"220 hello\r\n221 bye\r\n"
        client.send(b"still here\r\n")
        client.half_close()
        wait_until(lambda: heard, "what the client said behind the server's end")
    assert heard == [b"still here\r\n"]


@pytest.mark.threads
def test_bulk_both_ways(tunnel_before, byte_servers):
    """Large transfers, spliced: the same octets in the same order, on both sides."""
    (server,) = byte_servers(echo)
    evenpost = tunnel_before(server, pool={"greets": False}, workers=2)
    octets = random.Random(1).randbytes(12_000_000)

    def transfer(results):
        with RawClient(evenpost.port) as client:
            sender = threading.Thread(target=lambda: (client.send(octets), client.half_close()))
            sender.start()
            results.append(client.read_to_end() == octets)
            sender.join()

    results = []
    threads = [threading.Thread(target=transfer, args=(results,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 3
    assert evenpost.pools()["hubs"]["s1"]["bytes"] == 6 * len(octets)


def test_proxy_header_first(tunnel_before, byte_servers):
    headers = []

    def take(connected):
        octets = b""
        while not octets or not (header := read_header(octets)):
            octets += connected.recv(65536)
        headers.append((header, octets[header.length :]))
        connected.sendall(b"220 hello\r\n")
        echo(connected)

    (server,) = byte_servers(take)
    evenpost = tunnel_before(server, pool={"identity": "proxy-v2"})
    with RawClient(evenpost.port) as client:
        ends = client.socket.getsockname(), client.socket.getpeername()
        client.expect(220)
    ((header, rest),) = headers
    assert (header.source, header.destination, rest) == (*ends, b"")


def test_accept_proxy_passes_on(tunnel_before, scripted_servers):
    (server,) = scripted_servers(expects_proxy=True)
    evenpost = tunnel_before(
        server, pool={"identity": "proxy-v1"}, listener={"accept-proxy": "127.0.0.1"}
    )
    with RawClient(evenpost.port) as client:
        client.send(version_2(("192.0.2.7", 4711)))
        client.expect(220)
        client.command("QUIT", 221)
    (connection,) = server.connections
    assert connection.proxy.source == ("192.0.2.7", 4711)
    (line,) = evenpost.wait_event("session")
    assert line["client"] == "192.0.2.7"


def test_refused_client_hears_the_servers_words(tunnel_before, scripted_servers):
    """Servers that know the client: their refusal is its answer, not their failure."""
    servers = scripted_servers(2, expects_proxy=True)
    for server in servers:
        server.on("greeting", "554-5.7.1 your address is on a list\n554 5.7.1 see there")
    evenpost = tunnel_before(
        *servers,
        pool={"identity": "proxy-v2", "passive": {"failures": 1, "eject": "1h"}},
    )
    with RawClient(evenpost.port) as client:
        assert client.read_reply().lines == [
            "554-5.7.1 your address is on a list",
            "554 5.7.1 see there",
        ]
    assert {s["state"] for s in evenpost.pools()["hubs"].values()} == {"up"}


def test_refused_by_some_is_not_refused(tunnel_before, scripted_servers):
    servers = scripted_servers(2, expects_proxy=True)
    servers[0].on("greeting", "554 5.7.1 your address is on a list")
    servers[1].stop()
    evenpost = tunnel_before(*servers, pool={"identity": "proxy-v2"})
    for _ in range(2):
        assert greeting_of(evenpost)[0].startswith("421 4.3.2")


def test_idle_time_out(tunnel_before, scripted_servers):
    (server,) = scripted_servers(1)
    evenpost = tunnel_before(server, listener={"timeouts": {"idle": "300ms"}})
    with RawClient(evenpost.port) as client:
        client.expect(220)
        assert client.read_to_end() == b""
    (line,) = evenpost.wait_event("session")
    assert line["end"] == "timeout"


def test_session_time_out(tunnel_before, scripted_servers):
    (server,) = scripted_servers(1)
    evenpost = tunnel_before(server, listener={"timeouts": {"session": "2s"}})
    with RawClient(evenpost.port) as client:
        client.expect(220)
        with pytest.raises((EOFError, ConnectionError)):
            while True:
                client.command("NOOP", 250)


def test_max_connections(tunnel_before, scripted_servers):
    (server,) = scripted_servers(1)
    evenpost = tunnel_before(server, listener={"max-connections": 1})
    with RawClient(evenpost.port) as first:
        first.expect(220)
        with RawClient(evenpost.port) as second:
            second.expect(421)
        first.command("QUIT", 221)
    evenpost.wait_event("session")
    assert greeting_of(evenpost)[0].startswith("220")


def test_waits_for_a_place(tunnel_before, scripted_servers):
    """A server's max-connections: the next one waits until a place is free."""
    (server,) = scripted_servers(1)
    evenpost = tunnel_before(
        configured(server, max_connections=1), pool={"queue": "30s"}
    )
    with RawClient(evenpost.port) as first:
        first.expect(220)
        with RawClient(evenpost.port) as second:
            assert len(server.connections) == 1
            first.command("QUIT", 221)
            first.close()
            second.expect(220)
    evenpost.wait_event("session", count=2)


def test_waits_in_vain(tunnel_before, scripted_servers):
    (server,) = scripted_servers(1)
    evenpost = tunnel_before(
        configured(server, max_connections=1), pool={"queue": "200ms"}
    )
    with RawClient(evenpost.port) as first:
        first.expect(220)
        with RawClient(evenpost.port) as second:
            second.expect("421 4.3.2")


def test_balancing(tunnel_before, scripted_servers):
    """least-connections by what is open; source by the client's address."""
    servers = scripted_servers(3)
    evenpost = tunnel_before(*servers, pool={"balance": "least-connections"})
    clients = [RawClient(evenpost.port) for _ in range(9)]
    for client in clients:
        client.expect(220)
    assert {s["active"] for s in evenpost.pools()["hubs"].values()} == {3}
    for client in clients:
        client.close()
    evenpost.stop()
    evenpost = tunnel_before(*servers, pool={"balance": "source"})
    for _ in range(6):
        greeting_of(evenpost)
    assert sorted(evenpost.messages().values()) == [0, 0, 6]


def test_stop_lets_open_ones_end(tunnel_before, scripted_servers):
    """A drain: no new ones; those that are open go on until they end."""
    (server,) = scripted_servers(1)
    evenpost = tunnel_before(server)
    with RawClient(evenpost.port) as client:
        client.hello()
        stopping = threading.Thread(target=evenpost.stop)
        stopping.start()
        evenpost.wait_event("stop")
        for command in ("MAIL FROM:<a@a.example>", "RCPT TO:<b@b.example>"):
            client.command(command, 250)
        client.command("DATA", 354)
        client.send(b"a\r\n.\r\n")
        client.expect(250)
        client.command("QUIT", 221)
    stopping.join()
    assert len(server.messages) == 1


def test_stop_tells_those_without_a_server(tunnel_before, scripted_servers):
    (server,) = scripted_servers(1)
    server.on("greeting", HANG)
    evenpost = tunnel_before(server)
    with RawClient(evenpost.port) as client:
        server.wait_for(lambda s: s.connections, "the connection")
        evenpost.stop()
        client.expect("421 4.3.2")


def test_a_client_that_resets(tunnel_before, byte_servers):
    """The server gets all that had come, and then an end."""
    heard = []

    def listen(connected):
        connected.sendall(b"220 hello\r\n")
        try:
            heard.append(read_to_end(connected))
        except OSError:
            heard.append(None)

    (server,) = byte_servers(listen)
    evenpost = tunnel_before(server)
    with RawClient(evenpost.port) as client:
        client.expect(220)
        client.reset()
    wait_until(lambda: heard, "the end at the server")
    (line,) = evenpost.wait_event("session")
    assert line["end"] == "client lost"
