"""What servers are told of the client (protocol.md, Identity and trust)."""

import concurrent.futures

import pytest

from harness.evenpost import PROBED_ONCE, configured
from harness.proxy_header import TLV_UNIQUE_ID, version_1
from harness.raw_client import RawClient
from harness.scripted_server import DROP, EXTENSIONS
from harness.waiting import wait_until

ATTRIBUTES = "XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT"
FORWARDED = "XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE"
BEHIND_PROXY = {"accept-proxy": "127.0.0.1"}
PERSONAL = {
    "proxy-v1": {"expects_proxy": True},
    "proxy-v2": {"expects_proxy": True},
    "xclient": {"extensions": (*EXTENSIONS, ATTRIBUTES)},
}


def connect(evenpost, source=("192.0.2.7", 4711), helo="client.example"):
    """A client whose address a PROXY header says, up to its EHLO."""
    client = RawClient(evenpost.port)
    client.send(version_1(source))
    client.hello(helo)
    return client


def address_told(connection):
    """The client's address as the server was told on this connection."""
    if connection.proxy:
        return connection.proxy.source[0]
    (line,) = [c for c in connection.commands if c.startswith("XCLIENT")]
    return line.rpartition("ADDR=")[2]


def visits(server):
    """Connections that carried mail: probes name nobody."""
    return [c for c in server.connections if any("MAIL" in line for line in c.commands)]


def test_proxy_v1(evenpost_before, scripted_servers):
    (server,) = scripted_servers(expects_proxy=True)
    evenpost = evenpost_before(
        server, pool={"identity": "proxy-v1"}, listener=BEHIND_PROXY
    )
    with connect(evenpost) as client:
        client.send_message()
    (visit,) = visits(server)
    assert visit.proxy.source == ("192.0.2.7", 4711)
    assert visit.proxy.destination == ("192.0.2.100", 25)
    probe = server.connections[0]
    assert probe.proxy.source[0] == probe.proxy.destination[0] == "127.0.0.1"


def test_proxy_v2(evenpost_before, scripted_servers):
    (server,) = scripted_servers(expects_proxy=True)
    evenpost = evenpost_before(
        server, pool={"identity": "proxy-v2"}, listener=BEHIND_PROXY
    )
    with connect(evenpost) as client:
        client.send_message()
    (visit,) = visits(server)
    assert visit.proxy.source == ("192.0.2.7", 4711)
    (line,) = evenpost.wait_event("message")
    assert visit.proxy.tlvs == {TLV_UNIQUE_ID: line["session"].encode()}
    assert server.connections[0].proxy.local
    assert visit.commands[0] == "EHLO client.example"


def test_the_own_client_without_a_header(evenpost_before, scripted_servers):
    """No PROXY header in front: it is the socket's own ends that the server is told."""
    (server,) = scripted_servers(expects_proxy=True)
    evenpost = evenpost_before(server, pool={"identity": "proxy-v2"})
    with RawClient(evenpost.port) as client:
        client.hello()
        ends = client.socket.getsockname(), client.socket.getpeername()
        client.send_message()
    (visit,) = visits(server)
    assert (visit.proxy.source, visit.proxy.destination) == ends


def test_xclient(evenpost_before, scripted_servers):
    (server,) = scripted_servers(extensions=(*EXTENSIONS, ATTRIBUTES))
    evenpost = evenpost_before(
        server,
        pool={"identity": "xclient"},
        listener=BEHIND_PROXY,
        dns={"client-names": False},
    )
    with connect(evenpost) as client:
        client.send_message()
    (visit,) = visits(server)
    assert visit.commands[:4] == [
        "EHLO evenpost.test",
        "XCLIENT NAME=[TEMPUNAVAIL] PORT=4711 PROTO=ESMTP HELO=client.example "
        "DESTADDR=192.0.2.100 DESTPORT=25 ADDR=192.0.2.7",
        "EHLO evenpost.test",
        "MAIL FROM:<ann@a.example>",
    ]


def test_xclient_ipv6_and_hostile_helo(evenpost_before, scripted_servers):
    (server,) = scripted_servers(extensions=(*EXTENSIONS, "XCLIENT HELO ADDR"))
    evenpost = evenpost_before(
        server, pool={"identity": "xclient"}, listener=BEHIND_PROXY
    )
    source = ("2001:db8::7", 1)
    client = RawClient(evenpost.port)
    client.send(version_1(source, ("2001:db8::100", 25)))
    client.hello("[IPv6:2001:db8::7]")
    client.send_message()
    client.close()
    (visit,) = visits(server)
    assert visit.commands[1] == (
        "XCLIENT HELO=[IPv6:2001:db8::7] ADDR=IPV6:2001:db8::7"
    )


def test_xforward(evenpost_before, scripted_servers):
    """For each transaction, on a connection that clients share."""
    (server,) = scripted_servers(extensions=(*EXTENSIONS, FORWARDED))
    evenpost = evenpost_before(
        server,
        pool={"identity": "xforward"},
        listener=BEHIND_PROXY,
        workers=1,
        dns={"client-names": False},
    )
    for number in (7, 8):
        with connect(evenpost, (f"192.0.2.{number}", 4711)) as client:
            client.send_message()
            client.command("QUIT", 221)
    (visit,) = visits(server)
    sessions = [line["session"] for line in evenpost.wait_event("message", count=2)]
    assert [line for line in visit.commands if line.startswith("XFORWARD")] == [
        "XFORWARD NAME=[UNAVAILABLE] PORT=4711 PROTO=ESMTP HELO=client.example "
        f"IDENT={session} SOURCE=REMOTE ADDR=192.0.2.{number}"
        for number, session in zip((7, 8), sessions)
    ]
    mails = [n for n, line in enumerate(visit.commands) if line.startswith("MAIL")]
    assert all(visit.commands[n - 1].startswith("XFORWARD") for n in mails)


@pytest.mark.parametrize("identity", PERSONAL)
def test_two_clients_never_share(evenpost_before, scripted_servers, identity):
    """A connection that told of one client carries no other's mail; its own it does."""
    (server,) = scripted_servers(**PERSONAL[identity])
    evenpost = evenpost_before(
        server, pool={"identity": identity}, listener=BEHIND_PROXY, workers=1
    )
    for number in (7, 8, 9):
        with connect(evenpost, (f"192.0.2.{number}", 4711)) as client:
            client.send_message()
            client.send_message()
            client.command("QUIT", 221)
    carried = visits(server)
    assert [address_told(c) for c in carried] == [f"192.0.2.{n}" for n in (7, 8, 9)]
    for connection in carried:
        mails = [line for line in connection.commands if line.startswith("MAIL")]
        assert len(mails) == 2
    wait_until(
        lambda: all(c.commands[-1] == "QUIT" for c in visits(server)),
        "the connections of clients that are gone to end",
    )


@pytest.mark.threads
def test_many_clients_at_once_never_share(evenpost_before, scripted_servers):
    """Interleaved transactions of many clients at a server with few places."""
    (server,) = scripted_servers(**PERSONAL["proxy-v2"])
    evenpost = evenpost_before(
        configured(server, max_connections=3),
        pool={"identity": "proxy-v2", "queue": "30s"},
        listener=BEHIND_PROXY,
        workers=2,
    )

    def send(number):
        with connect(evenpost, (f"192.0.2.{number}", 4711)) as client:
            for _ in range(3):
                client.send_message()

    with concurrent.futures.ThreadPoolExecutor(12) as clients:
        list(clients.map(send, range(1, 13)))
    assert len(server.messages) == 36
    told = {}
    for connection in visits(server):
        told.setdefault(connection.proxy.source[0], 0)
        told[connection.proxy.source[0]] += sum(
            line.startswith("MAIL") for line in connection.commands
        )
    assert told == {f"192.0.2.{n}": 3 for n in range(1, 13)}


def test_another_helo_is_another_client(evenpost_before, scripted_servers):
    """XCLIENT told the name of before: a new EHLO needs a new connection."""
    (server,) = scripted_servers(**PERSONAL["xclient"])
    evenpost = evenpost_before(
        server, pool={"identity": "xclient"}, listener=BEHIND_PROXY
    )
    with connect(evenpost, helo="one.example") as client:
        client.send_message()
        client.command("EHLO two.example", 250)
        client.send_message()
    helos = [c.commands[1].partition("HELO=")[2].split()[0] for c in visits(server)]
    assert helos == ["one.example", "two.example"]


@pytest.mark.parametrize("identity, verb", [("xclient", "XCLIENT"), ("xforward", "XFORWARD")])
def test_not_announced(evenpost_before, scripted_servers, identity, verb):
    """Another server is used; the fault of the set-up is logged and shown."""
    announced = (*EXTENSIONS, ATTRIBUTES, FORWARDED)
    first, second = scripted_servers(1) + scripted_servers(extensions=announced)
    evenpost = evenpost_before(
        first, second, pool={"identity": identity}, listener=BEHIND_PROXY
    )
    fault = (
        f"s1 does not announce {verb} to 127.0.0.1: "
        f"add it to smtpd_authorized_{identity}_hosts"
    )
    with connect(evenpost) as client:
        client.send_message()
        client.send_message()
    assert not first.messages and len(second.messages) == 2
    assert [line["why"] for line in evenpost.wait_event("fault")] == [fault]
    servers = evenpost.pools()["hubs"]
    assert (servers["s1"]["fault"], servers["s2"]["fault"]) == (fault, None)
    assert not any("MAIL" in line for line in first.commands())


@pytest.mark.parametrize("identity", ["xclient", "xforward"])
def test_announced_and_refused(evenpost_before, scripted_servers, identity):
    """The message goes nowhere without the client's address: 451, and no MAIL."""
    (server,) = scripted_servers(extensions=(*EXTENSIONS, ATTRIBUTES, FORWARDED))
    server.on(identity, "550 5.7.0 insufficient authorization")
    evenpost = evenpost_before(
        server, pool={"identity": identity}, listener=BEHIND_PROXY
    )
    with connect(evenpost) as client:
        client.command("MAIL FROM:<ann@a.example>", 250)
        client.command("RCPT TO:<bob@b.example>", "451 4.3.2")
        client.command("DATA", 554)
    assert not server.messages
    (line, *_) = evenpost.wait_event("fault")
    assert line["why"].startswith("s1 announces, and then refuses,")
    assert "550 5.7.0 insufficient authorization" in line["why"]


UNKNOWN = "500 5.5.2 command not recognized"
TAKEN_FOR_A_COMMAND = {
    "behind the greeting": f"220 scripted.test\n{UNKNOWN}",
    "in place of a reply": "220 scripted.test",
}


@pytest.mark.parametrize("probe", ["none", "ehlo"])
@pytest.mark.parametrize("row", TAKEN_FOR_A_COMMAND)
def test_proxy_header_taken_for_a_command(evenpost_before, scripted_servers, row, probe):
    """A server that does not expect it answers 500: no mail without the address, and
    it is said why, whoever finds it first."""
    (server,) = scripted_servers(1)
    server.on("greeting", TAKEN_FOR_A_COMMAND[row])
    evenpost = evenpost_before(
        server,
        pool={"identity": "proxy-v1", "health": {"probe": probe}},
        listener=BEHIND_PROXY,
        ready=False,
    )
    evenpost.wait_event("start")
    with connect(evenpost) as client:
        client.command("MAIL FROM:<ann@a.example>", 250)
        client.command("RCPT TO:<bob@b.example>", "451 4.3.2")
    assert not any("MAIL" in line for line in server.commands())
    fault = "s1 does not understand a PROXY header from 127.0.0.1"
    assert evenpost.wait_event("fault")[0]["why"].startswith(fault)
    assert evenpost.pools()["hubs"]["s1"]["fault"].startswith(fault)


def test_refused_client_is_not_the_servers_fault(evenpost_before, scripted_servers):
    """A server that knows the client refuses it in its greeting: the client hears that,
    and the server is not ejected for it."""
    servers = scripted_servers(2, expects_proxy=True)
    evenpost = evenpost_before(
        *servers,
        pool={
            "identity": "proxy-v2",
            "passive": {"failures": 1, "eject": "1h"},
            "health": PROBED_ONCE,
        },
        listener=BEHIND_PROXY,
    )
    for server in servers:
        server.on("greeting", "554 5.7.1 your address is on a list")
    with connect(evenpost) as client:
        client.command("MAIL FROM:<ann@a.example>", 250)
        client.command("RCPT TO:<bob@b.example>", "554 5.7.1 your address is on a list")
    assert {s["state"] for s in evenpost.pools()["hubs"].values()} == {"up"}


@pytest.mark.parametrize("order", [1, -1])
def test_refused_by_some_is_not_refused(evenpost_before, scripted_servers, order):
    """For good is what all that were asked say: another one was only not there."""
    servers = scripted_servers(2, expects_proxy=True)
    servers[0].on("greeting", "554 5.7.1 your address is on a list")
    servers[1].stop()
    evenpost = evenpost_before(
        *servers[::order],
        pool={"identity": "proxy-v2", "health": {"probe": "none"}},
        listener=BEHIND_PROXY,
    )
    with connect(evenpost) as client:
        client.command("MAIL FROM:<ann@a.example>", 250)
        client.command("RCPT TO:<bob@b.example>", "451 4.3.2")


@pytest.mark.parametrize("reply", ["554 5.7.1 Client host rejected", "450 4.7.1 not yet"])
def test_client_refused_behind_xclient(evenpost_before, scripted_servers, reply):
    """Postfix with smtpd_delay_reject = no refuses the client where it would greet it:
    that is no fault of the set-up, and no server is ejected for it."""
    servers = scripted_servers(2, **PERSONAL["xclient"])
    for server in servers:
        server.on("xclient", reply)
    evenpost = evenpost_before(
        *servers,
        pool={"identity": "xclient", "passive": {"failures": 1, "eject": "1h"}},
        listener=BEHIND_PROXY,
    )
    with connect(evenpost) as client:
        client.command("MAIL FROM:<ann@a.example>", 250)
        client.command("RCPT TO:<bob@b.example>", reply)
    states = evenpost.pools()["hubs"].values()
    assert {(s["state"], s["fault"]) for s in states} == {("up", None)}


def test_what_one_client_may_do_is_not_what_all_may(evenpost_before, scripted_servers):
    """A server that offers some clients less does not make others hear less."""
    (server,) = scripted_servers(**PERSONAL["proxy-v2"])
    less = "250-scripted.test\n250 PIPELINING"
    full = "\n".join(f"250-{line}" for line in ("scripted.test", *EXTENSIONS)) + "\n250 HELP"
    server.on("ehlo", lambda connection: full if connection.proxy.local else less)
    evenpost = evenpost_before(
        server, pool={"identity": "proxy-v2"}, listener=BEHIND_PROXY
    )
    with connect(evenpost) as client:
        client.send_message()
    with RawClient(evenpost.port) as client:
        client.send(version_1(("192.0.2.8", 4711)))
        assert "DSN" in client.hello()


def test_failover_introduces_anew(evenpost_before, scripted_servers):
    """A server that goes in the transaction: the next one is told of the client too."""
    first, second = scripted_servers(2, **PERSONAL["proxy-v2"])
    evenpost = evenpost_before(
        first, second, pool={"identity": "proxy-v2"}, listener=BEHIND_PROXY
    )
    first.on("data", DROP)
    with connect(evenpost) as client:
        for _ in range(2):
            client.send_message()
    carried = visits(first) + visits(second)
    assert len(second.messages) == 2 and visits(first)
    assert {visit.proxy.source for visit in carried} == {("192.0.2.7", 4711)}
