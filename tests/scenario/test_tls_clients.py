"""TLS from clients: offered, required, from the first byte (protocol.md, threats.md 2)."""

import os
import signal
import ssl
import threading

import pytest

from harness.pki import Authority
from harness.proxy_header import TLV_AUTHORITY, TLV_SSL, version_2
from harness.raw_client import RawClient
from harness.scratch import make_scratch, remove_scratch
from harness.tls_client import TlsClient, client_context

_MESSAGE = ("MAIL FROM:<ann@a.example>", "RCPT TO:<bob@b.example>")


class Keys:
    """Pairs of every kind that the module's tests show."""

    def __init__(self, directory):
        self.directory = directory
        self.authority = Authority(directory)
        self.mx = self.authority.issue("mx.example")
        self.mx_rsa = self.authority.issue("mx.example", kind="rsa")
        self.other = self.authority.issue("other.example")
        self.client = self.authority.issue("client.example")
        self.stranger = Authority(directory, "stranger").issue("client2.example")


@pytest.fixture(scope="module")
def keys():
    directory = make_scratch()
    yield Keys(directory)
    remove_scratch(directory)


@pytest.fixture
def tls_before(evenpost_before, keys):
    """An evenpost whose listener speaks TLS as told."""

    def start(*servers, tls="offer", pairs=None, pool=None, listener=None, **top):
        settings = {"certificates": [p.as_setting() for p in pairs or [keys.mx]]}
        settings.update(top.pop("tls_settings", {}))
        return evenpost_before(
            *servers, pool=pool, listener={"tls": tls, **(listener or {})}, tls=settings, **top
        )

    return start


def send_message(client):
    for command in _MESSAGE:
        client.command(command, 250)
    client.command("DATA", 354)
    client.send(b"Subject: a\r\n\r\nb\r\n.\r\n")
    client.expect(250)


def encrypted(evenpost, keys, **options):
    """A client that has said STARTTLS, verified the certificate, and EHLO again."""
    client = TlsClient(evenpost.port)
    client.hello()
    client.starttls(client_context(keys.authority, **options))
    client.extensions = say_hello(client)
    return client


def say_hello(client, name="client.example"):
    reply = client.command(f"EHLO {name}", 250)
    words = [line[4:].partition(" ") for line in reply.lines[1:]]
    return {keyword.upper(): parameters for keyword, _, parameters in words}


def test_offer(tls_before, scripted_servers, keys):
    """STARTTLS is offered until it was used; who does not use it is taken too."""
    (server,) = scripted_servers(1)
    evenpost = tls_before(server, workers=1)
    with TlsClient(evenpost.port) as client:
        assert "STARTTLS" in client.hello()
        send_message(client)
    with encrypted(evenpost, keys) as client:
        assert "STARTTLS" not in client.extensions
        send_message(client)
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
        send_message(client)
    assert len(server.messages) == 1


def test_implicit(tls_before, scripted_servers, keys):
    (server,) = scripted_servers(1)
    evenpost = tls_before(server, tls="implicit")
    with TlsClient(evenpost.port) as client:
        client.start_tls(client_context(keys.authority))
        assert "STARTTLS" not in client.hello()
        send_message(client)
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


def test_what_came_in_clear_does_not_count(tls_before, scripted_servers, keys):
    """CVE-2011-0411: commands in one segment with STARTTLS are never obeyed."""
    (server,) = scripted_servers(1)
    evenpost = tls_before(server)
    with TlsClient(evenpost.port) as client:
        client.hello()
        client.send(b"STARTTLS\r\nRSET\r\nMAIL FROM:<eve@e.example>\r\n")
        client.expect("220 2.0.0")
        client.start_tls(client_context(keys.authority))
        client.command("MAIL FROM:<ann@a.example>", 503)
        say_hello(client)
        send_message(client)
    (message,) = server.messages
    assert "ann@" in message.sender and not any("eve@" in c for c in server.commands())


def test_all_is_forgotten(tls_before, scripted_servers, keys):
    """RFC 3207 4.2: EHLO again; what was said before is not known any more."""
    (server,) = scripted_servers(1)
    evenpost = tls_before(server)
    with TlsClient(evenpost.port) as client:
        client.hello("before.example")
        client.starttls(client_context(keys.authority))
        client.command("MAIL FROM:<ann@a.example>", 503)
        say_hello(client, "behind.example")
        send_message(client)
    (line,) = evenpost.wait_event("message")
    assert line["helo"] == "behind.example"


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


@pytest.mark.threads
def test_sessions_are_resumed_at_any_worker(tls_before, scripted_servers, keys):
    (server,) = scripted_servers(1)
    evenpost = tls_before(server, tls="implicit", workers=2)
    context = client_context(keys.authority)
    session, resumed = None, 0
    for _ in range(12):
        with TlsClient(evenpost.port) as client:
            client.start_tls(context, session=session)
            client.hello()
            resumed += client.socket.session_reused
            session = client.socket.session
            client.command("QUIT", 221)
    assert resumed == 11


@pytest.mark.parametrize(
    "verify, shown, taken, subject",
    [
        ("optional", None, True, None),
        ("optional", "client", True, "CN=client.example"),
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


def test_servers_hear_of_it(tls_before, scripted_servers, keys):
    """proxy-v2: the TLV of TLS, with the name asked for and the certificate's."""
    (server,) = scripted_servers(expects_proxy=True)
    asked = {"ca": str(keys.authority.file), "verify": "optional"}
    evenpost = tls_before(
        server, pool={"identity": "proxy-v2"}, listener={"client-certificates": asked}
    )
    with encrypted(evenpost, keys, pair=keys.client) as client:
        send_message(client)
    (visit,) = [c for c in server.connections if len(c.commands) > 2]
    tlvs = visit.proxy.tlvs
    assert tlvs[TLV_AUTHORITY] == b"mx.example"
    assert tlvs[TLV_SSL][0] & 1 and tlvs[TLV_SSL][1:5] == b"\0\0\0\0"
    assert b"TLSv1.3" in tlvs[TLV_SSL] and b"client.example" in tlvs[TLV_SSL]


def test_slow_handshakes(tls_before, scripted_servers, keys):
    """timeouts.handshake: half a hello is no client. A slow one that comes is."""
    (server,) = scripted_servers(1)
    evenpost = tls_before(
        server, tls="implicit", listener={"timeouts": {"handshake": "300ms"}}
    )
    with RawClient(evenpost.port) as client:
        client.send(b"\x16\x03\x01\x02\x00\x01\x00")
        assert client.read_to_end() == b""
    (line,) = evenpost.wait_event("reject")
    assert line["reason"] == "handshake"


def test_octet_by_octet(tls_before, scripted_servers, keys):
    (server,) = scripted_servers(1)
    evenpost = tls_before(server, tls="implicit")
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = client_context(keys.authority).wrap_bio(
        incoming, outgoing, server_hostname="mx.example"
    )
    with RawClient(evenpost.port) as client:

        def exchange(step):
            while True:
                try:
                    return step()
                except ssl.SSLWantReadError:
                    client.send_split(outgoing.read(), 1)
                    incoming.write(client.socket.recv(65536))
                finally:
                    client.send_split(outgoing.read(), 1)

        exchange(session.do_handshake)
        assert exchange(session.read).startswith(b"220 ")
        exchange(lambda: session.write(b"QUIT\r\n"))
        assert exchange(session.read).startswith(b"221 ")


def test_handshake_rate(tls_before, scripted_servers, keys):
    (server,) = scripted_servers(1)
    evenpost = tls_before(server, listener={"handshake-rate": "2/h"})
    for _ in range(2):
        encrypted(evenpost, keys).close()
    with TlsClient(evenpost.port) as client:
        client.hello()
        client.command("STARTTLS", "454 4.7.0")
        send_message(client)


def test_cut_in_the_content(tls_before, scripted_servers, keys):
    """Truncation: an end that TLS did not announce is the loss of the client, even
    behind what looks like a whole message but for its end."""
    (server,) = scripted_servers(1)
    evenpost = tls_before(server)
    client = encrypted(evenpost, keys)
    for command in _MESSAGE:
        client.command(command, 250)
    client.command("DATA", 354)
    client.send(b"Subject: a\r\n\r\nb\r\n")
    client.cut()
    (line,) = evenpost.wait_event("message")
    assert line["result"] == "aborted"
    assert not server.messages


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


def test_large_messages(tls_before, scripted_servers, keys):
    """Through records, buffers and back-pressure: the same octets."""
    (server,) = scripted_servers(1)
    evenpost = tls_before(server, listener={"add-received": "never"})
    body = os.urandom(3_000_000).hex().encode()
    content = b"\r\n".join(body[n : n + 76] for n in range(0, len(body), 76)) + b"\r\n"
    with encrypted(evenpost, keys) as client:
        for command in _MESSAGE:
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
        send_message(client)
        client.command("QUIT", 221)
    assert server.messages[0].content == b"Subject: a\r\n\r\nb\r\n"
    (line,) = evenpost.wait_event("session")
    assert line["server"] == "s1"


def replace(pair, by):
    """Puts another pair into the files, the key first and each at once."""
    for target, source in ((pair.key, by.key), (pair.certificate, by.certificate)):
        fresh = target.with_suffix(".new")
        fresh.write_bytes(source.read_bytes())
        fresh.rename(target)


def test_certificates_are_swapped(tls_before, scripted_servers, keys):
    """A hundred times, while clients come and go: none notices; a bad pair is refused."""
    (server,) = scripted_servers(1)
    pair = keys.authority.issue("mx.example", file="swapped")
    evenpost = tls_before(server, tls="implicit", pairs=[pair], workers=2)
    stop, failures, count = threading.Event(), [], [0]

    def come_and_go():
        while not stop.is_set():
            try:
                with TlsClient(evenpost.port) as client:
                    client.start_tls(client_context(keys.authority))
                    client.hello()
                    send_message(client)
                    client.command("QUIT", 221)
                    count[0] += 1
            except Exception as error:  # whatever it is, it is a client's trouble
                failures.append(error)

    clients = [threading.Thread(target=come_and_go) for _ in range(2)]
    for client in clients:
        client.start()
    for number in range(100):
        replace(pair, keys.mx if number % 2 else keys.mx_rsa)
        evenpost.program.signal(signal.SIGHUP)
        evenpost.wait_event("tls", count=number + 1, level="info")
    stop.set()
    for client in clients:
        client.join()
    assert not failures, failures[:3]
    assert count[0] > 10
    pair.key.write_bytes(keys.other.key.read_bytes())
    evenpost.program.signal(signal.SIGHUP)
    evenpost.wait_event("tls", level="error")
    with TlsClient(evenpost.port) as client:
        client.start_tls(client_context(keys.authority)).hello()
