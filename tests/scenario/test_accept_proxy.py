"""PROXY headers from those in front (protocol.md, Identity and trust)."""

import struct

import pytest

from harness.evenpost import Evenpost, configure_pool
from harness.proxy_header import (
    SIGNATURE,
    TLV_AUTHORITY,
    TLV_NOOP,
    tlv,
    version_1,
    version_2,
    with_checksum,
)
from harness.raw_client import RawClient
from harness.scratch import make_scratch, remove_scratch
from harness.scripted_server import ScriptedServer

CLIENT = ("192.0.2.7", 4711)
BEHIND_PROXY = {"accept-proxy": ["127.0.0.1", "2001:db8::/32"]}

TAKEN = {
    "v1": (version_1(CLIENT), "192.0.2.7"),
    "v1 IPv6": (version_1(("2001:db8::7", 1), ("2001:db8::1", 25)), "2001:db8::7"),
    "v1 mapped": (
        version_1(("::ffff:192.0.2.7", 1), ("::ffff:192.0.2.1", 25)),
        "192.0.2.7",
    ),
    "v1 UNKNOWN": (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
    "v1 UNKNOWN and more": (b"PROXY UNKNOWN ::1 ::1 1 2\r\n", "127.0.0.1"),
    "v2": (version_2(CLIENT), "192.0.2.7"),
    "v2 IPv6": (version_2(("2001:db8::7", 1), ("2001:db8::1", 25)), "2001:db8::7"),
    "v2 LOCAL": (version_2(), "127.0.0.1"),
    "v2 LOCAL with TLVs": (version_2(tlvs=tlv(TLV_NOOP, b"abc")), "127.0.0.1"),
    "v2 TLVs": (
        version_2(CLIENT, tlvs=tlv(TLV_AUTHORITY, b"mx.example") + tlv(0xE0, b"x" * 900)),
        "192.0.2.7",
    ),
    "v2 checksum": (with_checksum(version_2(CLIENT)), "192.0.2.7"),
    "this machine's own client": (version_1(("127.0.0.9", 1)), "127.0.0.9"),
}

_BAD_SUM = with_checksum(version_2(CLIENT))
MALFORMED = {
    "none, but SMTP": b"EHLO client.example\r\n",
    "lower case": b"proxy tcp4 192.0.2.7 192.0.2.1 1 25\r\n",
    "LF alone": b"PROXY TCP4 192.0.2.7 192.0.2.1 1 25\n",
    "no address": b"PROXY TCP4\r\n",
    "port 70000": b"PROXY TCP4 192.0.2.7 192.0.2.1 70000 25\r\n",
    "negative port": b"PROXY TCP4 192.0.2.7 192.0.2.1 -1 25\r\n",
    "wrong family": b"PROXY TCP4 2001:db8::7 2001:db8::1 1 25\r\n",
    "two blanks": b"PROXY TCP4  192.0.2.7 192.0.2.1 1 25\r\n",
    "too long": b"PROXY UNKNOWN " + b"x" * 100 + b"\r\n",
    "v2 version 3": version_2(CLIENT)[:12] + b"\x31" + version_2(CLIENT)[13:],
    "v2 unknown command": version_2(CLIENT, command=0x22),
    "v2 datagrams": version_2(CLIENT)[:13] + b"\x12" + version_2(CLIENT)[14:],
    "v2 too short for its family": SIGNATURE + struct.pack("!BBH", 0x21, 0x11, 4) + b"\1" * 4,
    "v2 too long": SIGNATURE + struct.pack("!BBH", 0x21, 0x11, 5000),
    "v2 TLV runs over": version_2(CLIENT, tlvs=struct.pack("!BH", TLV_NOOP, 9) + b"x"),
    "v2 bad checksum": _BAD_SUM[:-1] + bytes([_BAD_SUM[-1] ^ 1]),
    "the unspecified address": version_1(("0.0.0.0", 1)),
}


@pytest.fixture(scope="module")
def evenpost_behind_proxy(session_evenpost):
    return session_evenpost(BEHIND_PROXY)


@pytest.fixture(scope="module")
def session_evenpost():
    """One evenpost for all rows of the module, with what a listener is to say."""
    directory, server, started = make_scratch(), ScriptedServer(), []

    def start(listener):
        pools = {"hubs": configure_pool({"s1": server.address})}
        name = f"evenpost{len(started)}"
        evenpost = Evenpost(directory, pools, {"inbound": listener}, name=name)
        started.append(evenpost)
        return evenpost.start()

    yield start
    for evenpost in started:
        evenpost.stop()
    server.stop()
    remove_scratch(directory)


def client_logged(evenpost, helo):
    (line,) = evenpost.wait_event("session", helo=helo)
    return line["client"]


@pytest.mark.parametrize("size", [None, 1], ids=["whole", "octets"])
@pytest.mark.parametrize("row", TAKEN)
def test_taken(evenpost_behind_proxy, row, size):
    """The client is who the header says; its own octets begin behind it."""
    header, address = TAKEN[row]
    helo = f"{row.replace(' ', '-').replace(chr(39), '')}-{size}.example"
    with RawClient(evenpost_behind_proxy.port) as client:
        client.send_split(header, size or len(header))
        client.hello(helo)
        client.command("QUIT", 221)
    assert client_logged(evenpost_behind_proxy, helo) == address


def test_what_stands_behind_the_header_is_the_clients(evenpost_behind_proxy):
    with RawClient(evenpost_behind_proxy.port) as client:
        client.send(version_2(CLIENT) + b"EHLO pipelined.example\r\nQUIT\r\n")
        for code in (220, 250, 221):
            client.expect(code)
    assert client_logged(evenpost_behind_proxy, "pipelined.example") == "192.0.2.7"


def rejected(evenpost):
    metrics = evenpost.get("/metrics")[1].decode()
    line = 'evenpost_rejects_total{listener="inbound",reason="proxy-header"} '
    (count,) = [row for row in metrics.splitlines() if row.startswith(line)]
    return int(count.rpartition(" ")[2])


@pytest.mark.parametrize("row", MALFORMED)
def test_malformed(evenpost_behind_proxy, row):
    """Closed without a word, and counted."""
    before = rejected(evenpost_behind_proxy)
    with RawClient(evenpost_behind_proxy.port) as client:
        client.send(MALFORMED[row])
        assert client.read_to_end() == b""
    assert rejected(evenpost_behind_proxy) == before + 1


def test_nothing_is_said_before_the_header(evenpost_behind_proxy):
    with RawClient(evenpost_behind_proxy.port) as client:
        client.send(version_1(CLIENT)[:20])
        client.half_close()
        assert client.read_to_end() == b""


def test_a_look_is_no_rejection(evenpost_behind_proxy):
    """Balancers in front connect and go, every few seconds."""
    before = rejected(evenpost_behind_proxy)
    with RawClient(evenpost_behind_proxy.port) as client:
        client.half_close()
        assert client.read_to_end() == b""
    assert rejected(evenpost_behind_proxy) == before


def test_no_header_in_time(evenpost_behind_proxy):
    """Five seconds, whatever trickles in."""
    with RawClient(evenpost_behind_proxy.port) as client:
        client.send(b"PRO")
        assert client.read_to_end() == b""


def test_from_others_it_is_a_bad_command(session_evenpost):
    evenpost = session_evenpost({"accept-proxy": "192.0.2.10"})
    with RawClient(evenpost.port) as client:
        client.send(version_1(CLIENT))
        client.expect(220)
        client.expect(500)
        client.command("EHLO other.example", 250)
        client.command("QUIT", 221)
    assert client_logged(evenpost, "other.example") == "127.0.0.1"


def test_limits_count_the_conveyed_address(evenpost_before, scripted_servers):
    """max-connections-per-client: many clients behind one proxy."""
    (server,) = scripted_servers(1)
    evenpost = evenpost_before(
        server, listener={**BEHIND_PROXY, "max-connections-per-client": 1}
    )
    clients = []
    for number in (1, 2, 3):
        clients.append(RawClient(evenpost.port))
        clients[-1].send(version_1((f"192.0.2.{number}", 1)))
        clients[-1].expect(220)
    with RawClient(evenpost.port) as second:
        second.send(version_1(("192.0.2.1", 2)))
        second.expect("421 4.7.0")
    clients[0].command("QUIT", 221)
    evenpost.wait_event("session", client="192.0.2.1")
    with RawClient(evenpost.port) as again:
        again.send(version_1(("192.0.2.1", 3)))
        again.expect(220)
    for client in clients:
        client.close()


def test_source_balancing_uses_the_conveyed_address(evenpost_before, scripted_servers):
    servers = scripted_servers(3)
    evenpost = evenpost_before(
        *servers, pool={"balance": "source"}, listener=BEHIND_PROXY
    )
    for number in range(1, 31):
        for _ in range(2):
            with RawClient(evenpost.port) as client:
                client.send(version_1((f"192.0.2.{number}", 1)))
                client.hello()
                client.send_message()
    chosen = {}
    for line in evenpost.wait_event("message", count=60):
        chosen.setdefault(line["client"], set()).add(line["server"])
    assert len(chosen) == 30 and all(len(names) == 1 for names in chosen.values())
    assert len(set().union(*chosen.values())) == 3
