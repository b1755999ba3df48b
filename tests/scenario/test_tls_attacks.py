"""Clients that mean no good, or that are cut off, in and around TLS (threats.md T1, T7, T9,
T10, R1, R10). What servers do is in test_tls_servers.py."""

import socket
import ssl

import pytest

from encryption import MESSAGE, UNPROBED, come, encrypted
from harness.raw_client import RawClient
from harness.tls_client import TlsClient, client_context

_HALF_A_HELLO = b"\x16\x03\x01\x02\x00\x01\x00"

# ---- in clear ----

# Sent in one segment with STARTTLS.
_INJECTED = {
    "commands": b"RSET\r\nMAIL FROM:<eve@e.example>\r\n",
    "a hello": b"EHLO eve.example\r\n",
    "half a command": b"MAIL FROM:<eve@e.example> X",
    "a bad command": b"\0\r\n",
    "a whole message": b"EHLO eve.example\r\nMAIL FROM:<eve@e.example>\r\n"
    b"RCPT TO:<bob@b.example>\r\nDATA\r\nSubject: b\r\n\r\nc\r\n.\r\n",
    "another STARTTLS": b"STARTTLS\r\n",
    "the end": b"QUIT\r\n",
}


@pytest.mark.parametrize("tls", ["offer", "require"])
@pytest.mark.parametrize("injected", _INJECTED.values(), ids=_INJECTED)
def test_what_came_in_clear_does_not_count(tls_before, scripted_servers, keys, injected, tls):
    """CVE-2011-0411: commands in one segment with STARTTLS are never obeyed, nor
    answered, nor a part of later ones."""
    (server,) = scripted_servers(1)
    evenpost = tls_before(server, tls=tls)
    with TlsClient(evenpost.port) as client:
        client.hello()
        client.send(b"STARTTLS\r\n" + injected)
        client.expect("220 2.0.0")
        assert client.pending == b""
        client.start_tls(client_context(keys.authority))
        client.command("MAIL FROM:<ann@a.example>", "503 5.5.1 Say hello first")
        client.say_hello()
        client.send_message()
        client.command("QUIT", 221)
        assert client.read_to_end() == b""
    (message,) = server.messages
    assert "ann@" in message.sender and not any("eve@" in c for c in server.commands())
    (line,) = evenpost.wait_event("session")
    assert line["helo"] == "client.example"


def test_in_clear_where_the_handshake_is_due(tls_before, scripted_servers):
    """It is none, and what is wrong is not said in clear either."""
    (server,) = scripted_servers(1)
    evenpost = tls_before(server)
    with RawClient(evenpost.port) as client:
        client.hello()
        client.command("STARTTLS", "220 2.0.0")
        client.send(b"MAIL FROM:<eve@e.example>\r\n")
        assert not client.read_to_end().strip(b"\x15\x03\0\2F\1\3")  # an alert
    (line,) = evenpost.wait_event("reject")
    assert (line["phase"], line["reason"]) == ("tls", "handshake")
    assert not any("eve@" in c for c in server.commands())


@pytest.mark.parametrize("tls", ["off", "offer", "require"])
def test_tls_at_once_on_a_plain_port(tls_before, scripted_servers, tls):
    """A hello is no command: the greeting was said, and nothing else is."""
    (server,) = scripted_servers(1)
    evenpost = tls_before(server, tls=tls)
    with TlsClient(evenpost.port) as client:
        client.expect(220)
        with pytest.raises((ssl.SSLError, ConnectionError)):
            client.start_tls()
    (line,) = evenpost.wait_event("reject")
    assert line["reason"] == "foreign"


# ---- handshakes ----

# Listeners, and what a client says that does not come to the end of the handshake.
_SLOW = {
    "half a hello": ({"tls": "implicit"}, b""),
    "half a hello behind STARTTLS": ({"tls": "offer"}, b"STARTTLS\r\n"),
    "half a hello in connection mode": ({"tls": "implicit", "mode": "connection"}, b""),
}


@pytest.mark.parametrize("listener, before", _SLOW.values(), ids=_SLOW)
def test_slow_handshakes(tls_before, scripted_servers, listener, before):
    """timeouts.handshake: half a hello is no client."""
    (server,) = scripted_servers(1)
    listener = {**listener, "timeouts": {"handshake": "300ms"}}
    evenpost = tls_before(server, listener=listener)
    with RawClient(evenpost.port) as client:
        if before:
            client.expect(220)
            client.send(before)
            client.expect("220 2.0.0")
        client.send(_HALF_A_HELLO)
        assert client.read_to_end() == b""
    (line,) = evenpost.wait_event("reject")
    assert line["reason"] == "handshake"
    assert line["why"] == "no end of the handshake in time"


def test_others_do_not_wait_for_a_slow_one(tls_before, scripted_servers):
    (server,) = scripted_servers(1)
    evenpost = tls_before(server, tls="implicit", workers=1)
    with RawClient(evenpost.port) as slow:
        slow.send(_HALF_A_HELLO)
        with come(evenpost.port, "implicit") as client:
            client.send_message()
    assert len(server.messages) == 1


def test_octet_by_octet(tls_before, scripted_servers, keys):
    (server,) = scripted_servers(1)
    evenpost = tls_before(server, tls="implicit")
    with TlsClient(evenpost.port) as client:
        client.start_records(client_context(keys.authority), size=1)
        client.hello()
        client.command("QUIT", 221)


# Records of a handshake whose lengths are too much: their first octets, and what is said.
_OVERSIZE = {
    "a hello of 16 MB": (b"\x16\x03\x01\x40\x00\x01\xff\xff\xff", "excessive message size"),
    "a hello of 256 KB": (b"\x16\x03\x01\x40\x00\x01\x04\0\0", "excessive message size"),
    "a record of 64 KB": (b"\x16\x03\x01\xff\xff\x01\0\xff\xff", "packet length too long"),
}


@pytest.mark.parametrize("tls", ["offer", "implicit"])
@pytest.mark.parametrize("begin, why", _OVERSIZE.values(), ids=_OVERSIZE)
def test_oversize_hello(tls_before, scripted_servers, begin, why, tls):
    """It is refused by its length, before all of it has come."""
    (server,) = scripted_servers(1)
    evenpost = tls_before(server, tls=tls)
    with RawClient(evenpost.port) as client:
        if tls == "offer":
            client.hello()
            client.command("STARTTLS", "220 2.0.0")
        client.send(begin + bytes(0x4000 - 4))
        client.read_to_end()
    (line,) = evenpost.wait_event("reject")
    assert (line["reason"], line["why"]) == ("handshake", why)


def test_large_hello(tls_before, scripted_servers):
    """One of several records is taken all the same."""
    (server,) = scripted_servers(1)
    evenpost = tls_before(server, tls="implicit")
    context = client_context()
    context.set_alpn_protocols([f"{n:0>200}" for n in range(150)] + ["smtp"])
    with come(evenpost.port, "implicit", context) as client:
        assert client.socket.selected_alpn_protocol() == "smtp"
        client.send_message()


def test_handshake_rate(tls_before, scripted_servers, keys):
    """For each client; who has too many is served in clear where that is allowed."""
    (server,) = scripted_servers(1)
    evenpost = tls_before(server, listener={"handshake-rate": "2/h"})
    for _ in range(2):
        encrypted(evenpost, keys).close()
    with TlsClient(evenpost.port) as client:
        client.hello()
        client.command("STARTTLS", "454 4.7.0")
        client.send_message()
    (line,) = evenpost.wait_event("reject", phase="tls")
    assert (line["reason"], line["why"]) == ("handshake", "over handshake-rate")
    with TlsClient(evenpost.port, source="127.0.0.5") as client:
        client.hello()
        client.starttls(client_context(keys.authority))


@pytest.mark.parametrize("mode", ["message", "connection"])
def test_handshake_rate_where_tls_is_implicit(tls_before, scripted_servers, mode):
    (server,) = scripted_servers(1)
    evenpost = tls_before(
        server, tls="implicit", listener={"handshake-rate": "2/h", "mode": mode}
    )
    for _ in range(2):
        come(evenpost.port, "implicit").close()
    with RawClient(evenpost.port) as client:
        assert client.read_to_end() == b""
    (line,) = evenpost.wait_event("reject")
    assert (line["reason"], line["why"]) == ("handshake", "over handshake-rate")
    with TlsClient(evenpost.port, source="127.0.0.5") as client:
        client.start_tls().hello()


@pytest.mark.parametrize("offered, taken", [(["h2"], False), (["h2", "smtp"], True), ([], True)])
def test_alpn(tls_before, scripted_servers, keys, offered, taken):
    """ALPACA: a client that believes to talk to something else is refused."""
    (server,) = scripted_servers(1)
    evenpost = tls_before(server, tls="implicit")
    context = client_context(keys.authority)
    if offered:
        context.set_alpn_protocols(offered)
    with TlsClient(evenpost.port) as client:
        if taken:
            client.start_tls(context).hello()
        else:
            with pytest.raises((ssl.SSLError, ConnectionError)):
                client.start_tls(context)


# ---- truncation ----


def forge(record):
    """With one bit of its last octet turned."""
    return record[:-1] + bytes([record[-1] ^ 1])


# What comes instead of the end of a message, of Records and that end; then the client is
# gone.
_CUTS = {
    "nothing": lambda records, end: b"",
    "half a record": lambda records, end: records.seal(end)[:-1],
    "a forged record": lambda records, end: forge(records.seal(end)),
    "in clear": lambda records, end: end,
    "close_notify": lambda records, end: records.seal_end(),
    "close_notify, and then in clear": lambda records, end: records.seal_end() + end,
}


@pytest.mark.parametrize("content", ["DATA", "BDAT"])
@pytest.mark.parametrize("last", _CUTS.values(), ids=_CUTS)
def test_cut_in_the_content(tls_before, scripted_servers, last, content):
    """Truncation: an end that TLS did not announce is the loss of the client, even
    behind what looks like a whole message but for its end. And behind one that it did
    announce nothing counts (CVE-2026-45185)."""
    (server,) = scripted_servers(1)
    evenpost = tls_before(server, tls="implicit")
    text, end = b"Subject: a\r\n\r\nb\r\n", b".\r\n"
    with TlsClient(evenpost.port) as client:
        client.start_records()
        client.hello()
        for command in MESSAGE:
            client.command(command, 250)
        if content == "DATA":
            client.command("DATA", 354)
            client.send(text)
        else:
            client.send(f"BDAT {len(text + end)} LAST\r\n".encode() + text)
        client.plain.sendall(last(client.socket, end))
        client.plain.shutdown(socket.SHUT_WR)
        (line,) = evenpost.wait_event("message")
    assert line["result"] == "aborted"
    server.wait_for(lambda s: all(c.closed for c in s.connections), "the server's ends")
    assert not server.messages


@pytest.mark.parametrize("polite", [True, False], ids=["close_notify", "cut"])
def test_connection_mode_and_truncation(tls_before, scripted_servers, keys, polite):
    """An end that TLS did not announce is the loss of the client: the server's answers
    are not waited for any more."""
    (server,) = scripted_servers(1)
    evenpost = tls_before(
        server, tls="implicit", listener={"mode": "connection"}, pool=UNPROBED
    )
    with TlsClient(evenpost.port) as client:
        client.start_records(client_context(keys.authority))
        client.hello()
        if polite:
            client.plain.sendall(client.socket.seal_end())
        client.plain.shutdown(socket.SHUT_WR)
        (line,) = evenpost.wait_event("session")
    assert line["end"] == ("closed" if polite else "client lost")
    server.wait_for(lambda s: s.connections[0].closed, "the server's end")
