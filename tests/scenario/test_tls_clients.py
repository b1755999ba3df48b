"""TLS from clients: offered, required, from the first byte (protocol.md, threats.md 2)."""

import os
import ssl

import pytest

from encryption import MESSAGE, come, encrypted
from harness.proxy_header import TLV_AUTHORITY, TLV_SSL, version_2
from harness.raw_client import RawClient
from harness.tls_client import TlsClient, client_context


def test_offer(tls_before, scripted_servers, keys):
    """STARTTLS is offered until it was used; who does not use it is taken too."""
    (server,) = scripted_servers(1)
    evenpost = tls_before(server, workers=1)
    with TlsClient(evenpost.port) as client:
        assert "STARTTLS" in client.hello()
        client.send_message()
    with encrypted(evenpost, keys) as client:
        assert "STARTTLS" not in client.extensions
        client.send_message()
        client.command("STARTTLS", 503)
        client.command("QUIT", 221)
    plain, secret = evenpost.wait_event("message", count=2)
    assert (plain["tls"], secret["tls"]) == ("-", "TLSv1.3")
    contents = [m.content for m in server.messages]
    assert b" with ESMTP id" in contents[0] and b" with ESMTPS id" in contents[1]
    assert b"using TLSv1.3 with cipher" in contents[1]


def test_require(tls_before, scripted_servers, keys):
    (server,) = scripted_servers(1)
    evenpost = tls_before(server, tls="require")
    with RawClient(evenpost.port) as client:
        client.hello()
        for command in ("MAIL FROM:<ann@a.example>", "VRFY bob", "DATA", "HELO x"):
            client.command(command, "530 5.7.0")
        for command, code in (("NOOP", 250), ("RSET", 250), ("QUIT", 221)):
            client.command(command, code)
    with encrypted(evenpost, keys) as client:
        client.send_message()
    assert len(server.messages) == 1


def test_implicit(tls_before, scripted_servers, keys):
    (server,) = scripted_servers(1)
    evenpost = tls_before(server, tls="implicit")
    with TlsClient(evenpost.port) as client:
        client.start_tls(client_context(keys.authority))
        assert "STARTTLS" not in client.hello()
        client.send_message()
        client.command("QUIT", 221)
        assert client.read_to_end() == b""


def test_implicit_behind_a_proxy(tls_before, scripted_servers, keys):
    """The PROXY header stands before the handshake, in one segment with its beginning."""
    (server,) = scripted_servers(1)
    evenpost = tls_before(server, tls="implicit", listener={"accept-proxy": "127.0.0.1"})
    with TlsClient(evenpost.port) as client:
        client.send(version_2(("192.0.2.7", 4711)))
        client.start_tls(client_context(keys.authority))
        client.hello()
        client.command("QUIT", 221)
    (line,) = evenpost.wait_event("session")
    assert (line["client"], line["tls"]) == ("192.0.2.7", "TLSv1.3")


def test_all_is_forgotten(tls_before, scripted_servers, keys):
    """RFC 3207 4.2: EHLO again; what was said before is not known any more."""
    (server,) = scripted_servers(1)
    evenpost = tls_before(server)
    with TlsClient(evenpost.port) as client:
        client.hello("before.example")
        client.starttls(client_context(keys.authority))
        client.command("MAIL FROM:<ann@a.example>", 503)
        client.say_hello("behind.example")
        client.send_message()
    (line,) = evenpost.wait_event("message")
    assert line["helo"] == "behind.example"


@pytest.mark.parametrize("group", [False, True], ids=["alone", "in a group"])
def test_starttls_in_a_transaction(tls_before, scripted_servers, group):
    """It is refused, and the transaction goes on."""
    (server,) = scripted_servers(1)
    with RawClient(tls_before(server).port) as client:
        client.hello()
        if group:
            client.send(b"\r\n".join([c.encode() for c in MESSAGE] + [b"STARTTLS\r\n"]))
            for code in (250, 250, "503 5.5.1"):
                client.expect(code)
        else:
            for command in MESSAGE:
                client.command(command, 250)
                client.command("STARTTLS", "503 5.5.1")
        client.command("DATA", 354)
        client.send(b"Subject: a\r\n\r\nb\r\n.\r\n")
        client.expect(250)
    assert len(server.messages) == 1


def test_starttls_with_a_parameter(tls_before, scripted_servers):
    (server,) = scripted_servers(1)
    with RawClient(tls_before(server).port) as client:
        client.hello()
        client.command("STARTTLS now", 501)
        client.command("NOOP", 250)


def test_not_offered_without_certificates(evenpost_before, scripted_servers):
    (server,) = scripted_servers(1)
    with RawClient(evenpost_before(server).port) as client:
        assert "STARTTLS" not in client.hello()
        client.command("STARTTLS", 502)


def test_oldest_version(tls_before, scripted_servers, keys):
    (server,) = scripted_servers(1)
    evenpost = tls_before(server, tls_settings={"min-version": "1.3"})
    old = {"maximum": ssl.TLSVersion.TLSv1_2}
    with pytest.raises(ssl.SSLError):
        encrypted(evenpost, keys, **old)
    (line,) = evenpost.wait_event("reject")
    assert (line["phase"], line["reason"]) == ("tls", "handshake")
    encrypted(evenpost, keys).close()
    evenpost = tls_before(server)
    with encrypted(evenpost, keys, **old) as client:
        assert client.socket.version() == "TLSv1.2"


def test_names(tls_before, scripted_servers, keys):
    """SNI: the certificate of the name; of another name, or none, the first."""
    (server,) = scripted_servers(1)
    evenpost = tls_before(server, tls="implicit", pairs=[keys.mx, keys.other])
    shown = {}
    for name in ("mx.example", "other.example", "third.example", None):
        with TlsClient(evenpost.port) as client:
            context = client_context(keys.authority)
            context.check_hostname = False
            client.start_tls(context, name)
            subject = client.socket.getpeercert()["subject"]
            shown[name] = dict(pair[0] for pair in subject)["commonName"]
    assert shown == {
        "mx.example": "mx.example",
        "other.example": "other.example",
        "third.example": "mx.example",
        None: "mx.example",
    }


@pytest.mark.parametrize(
    "verify, shown, taken, subject",
    [
        ("off", None, True, None),
        ("off", "client", True, None),
        ("optional", None, True, None),
        ("optional", "client", True, "CN=client.example"),
        ("optional", "stranger", True, None),  # others name whom they like
        ("required", None, False, None),
        ("required", "client", True, "CN=client.example"),
        ("required", "stranger", False, None),
    ],
)
def test_client_certificates(tls_before, scripted_servers, keys, verify, shown, taken, subject):
    (server,) = scripted_servers(1)
    asked = {"ca": str(keys.authority.file), "verify": verify}
    evenpost = tls_before(server, listener={"client-certificates": asked})
    pair = getattr(keys, shown) if shown else None
    try:
        with encrypted(evenpost, keys, pair=pair) as client:
            client.command("QUIT", 221)
        assert taken
        (line,) = evenpost.wait_event("session", end="quit")
        assert line.get("certificate") == subject
    except (ssl.SSLError, ConnectionError, EOFError):
        assert not taken
        assert evenpost.wait_event("reject", reason="handshake")


# What the client shows and says, and then the flags and the verdict of the SSL TLV (the
# PROXY protocol 2.2.5): 1 is for TLS, 6 for a certificate, in this connection and in the
# session.
_HEARD = [
    ("client", "mx.example", 7, 0),
    ("stranger", "mx.example", 7, 1),
    (None, "mx.example", 1, 1),
    (None, None, 1, 1),
]


def header_of_mail(server):
    """Of the last connection that mail came through, and not a probe."""
    return [c for c in server.connections if len(c.commands) > 2][-1].proxy


@pytest.mark.parametrize("shown, name, flags, verdict", _HEARD)
def test_servers_hear_of_it(tls_before, scripted_servers, keys, shown, name, flags, verdict):
    """proxy-v2: the TLV of TLS, with the name asked for and the certificate's."""
    (server,) = scripted_servers(expects_proxy=True)
    asked = {"ca": str(keys.authority.file), "verify": "optional"}
    evenpost = tls_before(
        server, pool={"identity": "proxy-v2"}, listener={"client-certificates": asked}
    )
    context = client_context(pair=getattr(keys, shown) if shown else None)
    with come(evenpost.port, "starttls", context, name) as client:
        client.send_message()
    tlvs = header_of_mail(server).tlvs
    assert tlvs.get(TLV_AUTHORITY) == (name and name.encode())
    assert tlvs[TLV_SSL][0] == flags
    assert bool(int.from_bytes(tlvs[TLV_SSL][1:5], "big")) == verdict
    assert b"TLSv1.3" in tlvs[TLV_SSL]
    common = {"client": b"client.example", "stranger": b"client2.example"}.get(shown)
    if common:
        assert tlvs[TLV_SSL].endswith(common)
    else:
        assert b"client" not in tlvs[TLV_SSL]


def test_servers_hear_that_a_certificate_was_shown_before(tls_before, scripted_servers, keys):
    """A session that is resumed: 4, and not 2."""
    (server,) = scripted_servers(expects_proxy=True)
    asked = {"ca": str(keys.authority.file), "verify": "required"}
    evenpost = tls_before(
        server, pool={"identity": "proxy-v2"}, listener={"client-certificates": asked}
    )
    context, session = client_context(pair=keys.client), None
    for flags in (7, 5):
        with TlsClient(evenpost.port) as client:
            client.hello()
            client.starttls(context, session=session)
            client.say_hello()
            client.send_message()
            session = client.socket.session
        assert header_of_mail(server).tlvs[TLV_SSL][:5] == bytes([flags, 0, 0, 0, 0])


def test_servers_hear_nothing_of_it_in_clear(tls_before, scripted_servers):
    (server,) = scripted_servers(expects_proxy=True)
    evenpost = tls_before(server, pool={"identity": "proxy-v2"})
    with come(evenpost.port, None) as client:
        client.send_message()
    assert not {TLV_AUTHORITY, TLV_SSL} & set(header_of_mail(server).tlvs)


def test_large_messages(tls_before, scripted_servers, keys):
    """Through records, buffers and back-pressure: the same octets."""
    (server,) = scripted_servers(1)
    evenpost = tls_before(server, listener={"add-received": "never"})
    body = os.urandom(3_000_000).hex().encode()
    content = b"\r\n".join(body[n : n + 76] for n in range(0, len(body), 76)) + b"\r\n"
    with encrypted(evenpost, keys) as client:
        for command in MESSAGE:
            client.command(command, 250)
        client.command("DATA", 354)
        client.send(content + b".\r\n")
        client.expect(250)
    assert server.messages[0].content == content


def test_connection_mode_ends_tls(tls_before, scripted_servers, keys):
    """mode: connection, tls: implicit: the server gets what is in it."""
    (server,) = scripted_servers(1)
    evenpost = tls_before(server, tls="implicit", listener={"mode": "connection"})
    with TlsClient(evenpost.port) as client:
        client.start_tls(client_context(keys.authority))
        client.hello()
        client.send_message()
        client.command("QUIT", 221)
    assert server.messages[0].content == b"Subject: a\r\n\r\nb\r\n"
    (line,) = evenpost.wait_event("session")
    assert line["server"] == "s1"
