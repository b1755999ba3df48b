"""TLS towards servers: which policy sends mail to which server, and what is said of it."""

import contextlib
import functools
import socket
import ssl
import threading
import types

import pytest

from encryption import (
    CLEAR,
    ENCRYPTED,
    MESSAGE,
    NAME,
    NOTHING,
    OFFERS_NONE,
    REFUSES,
    SAYS_MORE,
    SPEAKS_CLEAR,
    SPEAKS_TLS,
    UNPROBED,
    check_fault,
    come,
    fault,
    verified,
)
from harness.byte_server import ByteServer
from harness.evenpost import EAGER_HEALTH, PROBED_ONCE, configured
from harness.pki import Authority, server_context
from harness.raw_client import RawClient, send_one
from harness.scripted_server import DROP, ScriptedServer
from harness.tls_client import TlsClient

def check(evenpost, server, outcome, begins):
    """Sends a message and looks what became of it."""
    send_one(evenpost.port, 451 if outcome == NOTHING else 250)
    assert [message.encrypted for message in server.messages] == {
        ENCRYPTED: [True],
        CLEAR: [False],
        NOTHING: [],
    }[outcome]
    if outcome != NOTHING:
        (line,) = evenpost.wait_event("message")
        assert line["server_tls"] == ("TLSv1.3" if outcome == ENCRYPTED else "-")
    check_fault(evenpost, server, begins)


def test_another_server(evenpost_before, tls_server, authority):
    """A server whose certificate will not do is one that fails: another one is tried."""
    bad, good = tls_server("other name"), tls_server("good")
    evenpost = evenpost_before(
        bad, good, pool={"tls": "verify", **verified(authority), **UNPROBED}
    )
    for _ in range(4):
        send_one(evenpost.port)
    assert len(good.messages) == 4 and not bad.messages
    assert fault(evenpost).startswith("s1: hostname mismatch") and not fault(
        evenpost, "s2"
    )
    assert len(evenpost.wait_event("fault")) == 1
    assert evenpost.pools()["hubs"]["s1"]["failures"]["tls"] > 0


def test_mended(evenpost_before, tls_server, authority, certificates):
    """A new certificate: the fault is over."""
    server = tls_server("other name")
    evenpost = evenpost_before(
        server,
        pool={
            **{"tls": "verify", **verified(authority), **UNPROBED},
            "passive": {"failures": 0},
        },
    )
    send_one(evenpost.port, 451)
    assert fault(evenpost)
    server.tls = server_context(certificates["good"])
    send_one(evenpost.port)
    assert fault(evenpost) is None
    evenpost.wait_event("fault", why="mended")


def test_name_of_the_address(evenpost_before, certificates, authority):
    """Without tls-name the server's address as configured counts, and no SNI is said."""
    with ScriptedServer(tls=server_context(certificates["address"])) as server:
        evenpost = evenpost_before(
            server,
            pool={
                "tls": "verify",
                "tls-ca": str(authority.file),
                **UNPROBED,
            },
        )
        check(evenpost, server, ENCRYPTED, None)
        assert server.names == [None]


def test_name_that_is_said(evenpost_before, tls_server, authority):
    server = tls_server("good")
    evenpost = evenpost_before(
        server, pool={"tls": "verify", **verified(authority), **UNPROBED}
    )
    send_one(evenpost.port)
    assert server.names == [NAME]


def test_certificate_of_ours(evenpost_before, certificates, authority):
    """A server that asks for a certificate gets the pool's."""
    ours = authority.issue("evenpost.test")
    context = server_context(certificates["good"])
    context.load_verify_locations(authority.file)
    context.verify_mode = ssl.CERT_REQUIRED
    with ScriptedServer(tls=context) as server:
        shown = {"tls-certificate": str(ours.certificate), "tls-key": str(ours.key)}
        evenpost = evenpost_before(
            server, pool={"tls": "require", **shown, **UNPROBED}
        )
        send_one(evenpost.port)
        (visit,) = server.connections
        assert visit.certificate["subject"] == ((("commonName", "evenpost.test"),),)


def test_resumption(evenpost_before, tls_server):
    """A second connection of the same worker resumes the session of the first."""
    server = tls_server("good")
    evenpost = evenpost_before(
        server,
        pool={"tls": "require", "reuse": {"max-messages": 1}, **UNPROBED},
        workers=1,
    )
    for _ in range(3):
        send_one(evenpost.port)
    assert [visit.resumed for visit in server.connections] == [False, True, True]


def test_reuse(evenpost_before, tls_server):
    """A warm connection stays encrypted, and is not shaken hands with again."""
    server = tls_server("good")
    evenpost = evenpost_before(server, pool={"tls": "require", **UNPROBED}, workers=1)
    for _ in range(3):
        send_one(evenpost.port)
    assert len(server.connections) == 1
    assert [m.encrypted for m in server.messages] == [True] * 3
    assert server.commands().count("STARTTLS") == 1


def test_extensions_anew(evenpost_before, tls_server):
    """RFC 3207 4.2: what was announced before the handshake is void."""
    server = tls_server("good")
    server.on("ehlo", "250-a\n250-DSN\n250 STARTTLS", "250-a\n250 SIZE 4711")
    evenpost = evenpost_before(server, pool={"tls": "may", **UNPROBED})
    send_one(evenpost.port)
    with RawClient(evenpost.port) as client:
        announced = client.hello()
    assert announced["SIZE"] == "4711"
    assert "DSN" not in announced and "STARTTLS" not in announced


@pytest.mark.parametrize("kind", ["drops", "babbles", "silent", "old", "wrong key", "502"])
def test_fallback(evenpost_before, tls_server, kind):
    """tls-fallback: a new connection, in clear, to the same server; and it is said."""
    server = tls_server(kind)
    # enough for a greeting, however busy the machine is
    patience = {"timeouts": {"greeting": "2s"}} if kind == "silent" else {}
    evenpost = evenpost_before(
        server, pool={"tls": "may", "tls-fallback": True, **UNPROBED, **patience}
    )
    check(evenpost, server, CLEAR, "s1 gets mail in clear, by tls-fallback: ")
    first, second = server.connections
    assert first.commands[:2] == ["EHLO evenpost.test", "STARTTLS"]
    assert "STARTTLS" not in second.commands
    send_one(evenpost.port)
    # a connection that is dropped is lost in one way or another: told once for each
    told = [line["why"] for line in evenpost.wait_event("fault")]
    assert len(told) == len(set(told))


@pytest.mark.parametrize("kind", ["spoken for", "half spoken for"])
def test_no_fallback_from_an_attack(evenpost_before, tls_server, kind):
    server = tls_server(kind)
    evenpost = evenpost_before(
        server, pool={"tls": "may", "tls-fallback": True, **UNPROBED}
    )
    check(evenpost, server, NOTHING, SAYS_MORE)


@pytest.mark.parametrize("tls", ["require", "implicit"])
def test_behind_a_proxy_header(evenpost_before, tls_server, tls):
    """The header comes first, in clear; then TLS."""
    server = tls_server("good", expects_proxy=True, implicit=tls == "implicit")
    evenpost = evenpost_before(
        server, pool={"tls": tls, "identity": "proxy-v2", **UNPROBED}
    )
    check(evenpost, server, ENCRYPTED, None)
    assert server.connections[0].proxy.source[0] == "127.0.0.1"


def test_before_xclient(evenpost_before, certificates):
    """The client is told of in TLS, and only there."""
    attributes = "XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT"
    with ScriptedServer(
        tls=server_context(certificates["good"]), extensions=("PIPELINING", attributes)
    ) as server:
        evenpost = evenpost_before(
            server, pool={"tls": "require", "identity": "xclient", **UNPROBED}
        )
        check(evenpost, server, ENCRYPTED, None)
        verbs = [command.partition(" ")[0] for command in server.commands()]
        assert verbs[:3] == ["EHLO", "STARTTLS", "EHLO"]
        assert verbs.index("XCLIENT") > verbs.index("STARTTLS")
        assert verbs.count("STARTTLS") == 1


def test_end_without_a_word(evenpost_before, tls_server):
    """A server that closes after 221 without close_notify has done nothing wrong."""
    server = tls_server("good")
    evenpost = evenpost_before(
        server,
        pool={
            **{"tls": "require", "reuse": {"max-messages": 1}, **UNPROBED},
            "passive": {"failures": 1, "eject": "1h"},
        },
    )
    for _ in range(3):
        send_one(evenpost.port)
    server.wait_for(lambda s: all(c.closed for c in s.connections), "the ends")
    server_now = evenpost.pools()["hubs"]["s1"]
    assert server_now["state"] == "up" and not any(server_now["failures"].values())


def cut_off(connection, octets, polite):
    """Sends that much of a reply and ends; polite: with a close_notify."""
    if octets:
        connection.request.sendall(octets)
    if polite:
        connection.request.unwrap()
    return DROP


# Where the server goes away, after which octets, and what the client hears of it.
CUTS = {
    "before a reply": ("mail", b"", None),
    "in a reply": ("mail", b"250 2.1.0 O", None),
    "in a reply of several lines": ("ehlo", b"250-scripted.test\r\n250-SIZE 10", None),
    "in the verdict": ("end", b"250 2.0.0 O", "451 4.4.2"),
    "behind the verdict": ("end", b"250 2.0.0 Ok\r\n", "250 2.0.0"),
}


@pytest.mark.parametrize("polite", [False, True], ids=["cut", "close_notify"])
@pytest.mark.parametrize("stage, octets, verdict", CUTS.values(), ids=CUTS)
def test_truncation(evenpost_before, tls_server, stage, octets, verdict, polite):
    """What is cut off is no reply, whoever has ended it. Another server takes the
    message, unless the first may have it."""
    first, second = tls_server("good"), tls_server("good")
    in_clear = "250-scripted.test\n250 STARTTLS"
    ends = functools.partial(cut_off, octets=octets, polite=polite)
    first.on(stage, *([in_clear, ends, in_clear, DROP] if stage == "ehlo" else [ends]))
    evenpost = evenpost_before(
        first, configured(second, preference=20), pool={"tls": "require", **UNPROBED}
    )
    with RawClient(evenpost.port) as client:
        client.hello()
        for command in MESSAGE:
            client.command(command, 250)
        client.command("DATA", 354)
        client.send(b"Subject: a\r\n\r\nb\r\n.\r\n")
        client.expect(verdict or "250 2.0.0")
    assert len(second.messages) == (verdict is None)
    (line,) = evenpost.wait_event("message")
    assert line["result"] == ("ambiguous" if verdict == "451 4.4.2" else "accepted")


@pytest.mark.parametrize("tls", ["require", "implicit"])
def test_octet_by_octet(evenpost_before, tls_server, authority, tls):
    """A handshake may take its time."""
    server = tls_server("good", implicit=tls == "implicit")

    def trickle(source, sink):
        with contextlib.suppress(OSError):  # the other direction may have ended both
            while octet := source.recv(1):
                sink.sendall(octet)
            sink.shutdown(socket.SHUT_WR)

    def relay(connected):
        with socket.create_connection((server.host, server.port)) as behind:
            behind.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            back = threading.Thread(target=trickle, args=(behind, connected))
            back.start()
            trickle(connected, behind)
            back.join()

    slow = ByteServer(relay)
    evenpost = evenpost_before(slow, pool={"tls": tls, **verified(authority), **UNPROBED})
    check(evenpost, server, ENCRYPTED, None)
    slow.stop()


@pytest.mark.parametrize("kind", ["good", "expired"])
def test_connection_mode(evenpost_before, tls_server, authority, kind):
    """Bytes pass through TLS towards the server, verified, or not at all."""
    server = tls_server(kind, implicit=True)
    evenpost = evenpost_before(
        server,
        pool={"tls": "implicit", **verified(authority), **UNPROBED},
        listener={"mode": "connection"},
    )
    with RawClient(evenpost.port) as client:
        if kind == "good":
            client.hello()
            client.command("QUIT", 221)
        else:
            client.expect("421 4.3.2")
            assert fault(evenpost).startswith("s1: certificate has expired")


# ---- the wrong port ----


@pytest.mark.parametrize("mode", ["message", "connection"])
def test_clear_where_tls_should_be(evenpost_before, certificates, mode):
    """tls: implicit before a port that greets in clear: said once, and mended by TLS."""
    with ScriptedServer() as server:
        evenpost = evenpost_before(
            server,
            pool={"tls": "implicit", "passive": {"failures": 0}, **UNPROBED},
            listener={"mode": mode},
        )
        for _ in range(2):
            visit(evenpost, mode, 451 if mode == "message" else 421)
        assert fault(evenpost).startswith(SPEAKS_CLEAR)
        assert len(evenpost.wait_event("fault")) == 1
        server.tls, server.implicit = server_context(certificates["good"]), True
        visit(evenpost, mode, 250 if mode == "message" else 221)
        assert fault(evenpost) is None
        evenpost.wait_event("fault", why="mended")


@pytest.mark.parametrize("mode", ["message", "connection"])
def test_client_refused_in_clear_before_tls(evenpost_before, scripted_servers, mode):
    """A server that knows the client may refuse it before the handshake: no server is
    ejected for that."""
    servers = scripted_servers(2, expects_proxy=True)
    for server in servers:
        server.on("greeting", "421 4.7.0 too many connections of this client")
    evenpost = evenpost_before(
        *servers,
        pool={
            "tls": "implicit",
            "identity": "proxy-v2",
            "passive": {"failures": 1, "eject": "1h"},
            **UNPROBED,
        },
        listener={"mode": mode},
    )
    visit(evenpost, mode, 451 if mode == "message" else 421)
    states = evenpost.pools()["hubs"].values()
    assert [server["state"] for server in states] == ["up", "up"]
    assert [server["failures"]["tls"] for server in states] == [1, 1]
    assert evenpost.get("/readyz")[0] == 200


def visit(evenpost, mode, expected):
    if mode == "message":
        send_one(evenpost.port, expected)
        return
    with RawClient(evenpost.port) as client:
        if expected == 221:
            client.hello()
            client.command("QUIT", 221)
        else:
            client.expect(expected)


# What a port for TLS says to whom it does not understand.
ALERT = b"\x15\x03\x01\x00\x02\x02\x46"


@pytest.mark.parametrize("ends", [True, False], ids=["and ends", "and waits"])
@pytest.mark.parametrize(
    "mode, tls", [("message", "off"), ("message", "require"), ("connection", "off")]
)
def test_tls_where_a_greeting_should_be(evenpost_before, mode, tls, ends):
    def refuse(connected):
        connected.sendall(ALERT)
        if not ends:
            connected.recv(1)  # until the other side goes

    server = ByteServer(refuse)
    evenpost = evenpost_before(
        server,
        pool={"tls": tls, "timeouts": {"greeting": "1s"}, **UNPROBED},
        listener={"mode": mode},
    )
    visit(evenpost, mode, 451 if mode == "message" else 421)
    assert fault(evenpost).startswith(SPEAKS_TLS)
    server.stop()


def test_tls_where_a_probe_waits_for_a_greeting(evenpost_before):
    server = ByteServer(lambda connected: connected.sendall(ALERT))
    evenpost = evenpost_before(server, pool={"tls": "may"}, ready=False)
    evenpost.wait_event("server", state="down")
    last = last_probe(evenpost)["result"]
    assert last == "greeting: speaks TLS before its greeting"
    assert fault(evenpost).startswith(SPEAKS_TLS)
    server.stop()


@pytest.mark.parametrize(
    "tls, hint", [("off", ": on port 465 a server waits for TLS"), ("implicit", None)]
)
def test_nothing_from_port_465(evenpost_before, tls, hint):
    """No fault, since it may be something else; but a hint for who looks."""
    try:
        listener = socket.create_server(("127.0.0.9", 465))
    except OSError as error:
        pytest.skip(f"port 465 can not be had: {error}")
    with listener:
        evenpost = evenpost_before(
            types.SimpleNamespace(address="127.0.0.9:465"),
            pool={"tls": tls, "health": {**EAGER_HEALTH, "timeout": "100ms"}},
            ready=False,
        )
        (line,) = evenpost.wait_event("server", state="down")
        assert fault(evenpost) is None
    if hint:
        assert f"no greeting in 100ms{hint}" in line["why"]
    else:
        assert line["why"] == "probe ehlo: no TLS handshake in 100ms"


# ---- probes ----


def last_probe(evenpost):
    return evenpost.pools()["hubs"]["s1"]["last_probe"]


@pytest.mark.parametrize("probe", ["starttls", "ehlo", "rcpt"])
def test_probe(evenpost_before, tls_server, authority, probe):
    """What traffic needs has to work; what the server showed can be seen."""
    server = tls_server("good")
    health = {**PROBED_ONCE, "probe": probe, "recipient": "postmaster@b.example"}
    evenpost = evenpost_before(
        server, pool={"tls": "verify", **verified(authority), "health": health}
    )
    first = last_probe(evenpost)
    assert first["result"] == "ok"
    assert first["certificate"]["subject"] == f"CN={NAME}"
    assert first["certificate"]["issuer"] == "CN=between"
    assert first["certificate"]["days_left"] in (29, 30)  # it may be a second old
    assert first["certificate"]["expires"].endswith("Z")
    assert server.connections[0].commands[:3] == [
        *("EHLO evenpost.test", "STARTTLS", "EHLO evenpost.test")
    ]
    evenpost.stop()  # whose log is whole then
    assert not evenpost.log_events("certificate")


@pytest.mark.parametrize(
    "policy, kind, result, begins",
    [
        ("may", "without", "STARTTLS is not offered", None),
        ("require", "without", "STARTTLS is not offered", OFFERS_NONE),
        ("require", "454", "STARTTLS 454 4.7.0 not now", REFUSES),
        ("require", "drops", None, None),
        ("require", "spoken for", "STARTTLS: spoke before the handshake", SAYS_MORE),
        ("require", "silent", "no TLS handshake in 2s", None),
        ("require", "old", "TLS: tlsv1 alert protocol version", None),
        ("may", "wrong key", "TLS: bad signature", None),
        ("verify", "expired", "TLS: certificate verify failed: ", "s1: certificate has"),
        ("verify", "to come", "TLS: certificate verify failed: ", "s1: certificate is"),
        ("verify", "other name", "TLS: certificate verify failed: ", "s1: hostname"),
        ("verify", "self-signed", "TLS: certificate verify failed: ", "s1: self-signed"),
        ("verify", "cut", "TLS: certificate verify failed: ", "s1: unable to get"),
    ],
)
def test_probe_fails(
    evenpost_before, tls_server, authority, policy, kind, result, begins
):
    """The server is down, and says why, before any message has to find out."""
    server = tls_server(kind)
    keys = verified(authority) if policy == "verify" else {}
    health = {**EAGER_HEALTH, "probe": "starttls"}
    if kind == "silent":
        health["timeout"] = "2s"
    evenpost = evenpost_before(
        server, pool={"tls": policy, **keys, "health": health}, ready=False
    )
    evenpost.wait_event("server", state="down")
    last = last_probe(evenpost)
    assert last["result"].startswith(result or ""), last
    assert last["certificate"] is None
    assert (fault(evenpost) or "").startswith(begins or "")
    assert (fault(evenpost) is None) == (begins is None)


def test_end_of_a_certificate(evenpost_before, tls_server, certificates):
    """It is said once, and kept in sight when the server fails otherwise."""
    server = tls_server("good")
    server.tls = server_context(certificates["ends soon"])
    evenpost = evenpost_before(server, pool={"tls": "require"})
    (line,) = evenpost.wait_event("certificate")
    assert (line["pool"], line["server"]) == ("hubs", "s1")
    assert line["days"] in ("4", "5")  # it may be a second old
    assert line["why"].startswith(f"CN={NAME}, signed by CN=root, ends on 20")
    server.on("greeting", "554 no service")
    evenpost.wait_state("s1", "down")
    assert last_probe(evenpost)["certificate"]["days_left"] in (4, 5)
    evenpost.stop()
    assert len(evenpost.log_events("certificate")) == 1


@pytest.mark.parametrize(
    "kind, remark",
    [
        ("good", None),
        ("ends soon", "ends on 20"),
        ("expired", "ended on 2020-02-01"),
        ("to come", "is not valid before 2099-01-01"),
    ],
)
@pytest.mark.parametrize("policy", ["may", "require", "implicit"])
def test_certificate_that_nobody_verifies(evenpost_before, tls_server, policy, kind, remark):
    """There is something to say of it, and mail passes all the same."""
    server = tls_server(kind, implicit=policy == "implicit")
    evenpost = evenpost_before(server, pool={"tls": policy})
    check(evenpost, server, ENCRYPTED, None)
    said = last_probe(evenpost)["certificate"]["remark"]
    assert (said is None) == (remark is None)
    if remark:
        assert said.startswith(f"CN={NAME}, signed by CN=root, {remark}")
        (line,) = evenpost.wait_event("certificate")
        assert line["why"] == said


def test_new_authority_for_probes(evenpost_before, tls_server, authority, tmp_path):
    """Files that change count for probes, too."""
    file = tmp_path / "ca.pem"
    file.write_bytes(Authority(tmp_path, "nobody").file.read_bytes())
    server = tls_server("good")
    evenpost = evenpost_before(
        server,
        pool={"tls": "verify", "tls-ca": str(file), "tls-name": NAME},
        ready=False,
    )
    evenpost.wait_event("server", state="down")
    file.write_bytes(authority.file.read_bytes())
    evenpost.wait_state("s1", "up")
    send_one(evenpost.port)


# ---- REQUIRETLS ----


@pytest.mark.parametrize(
    "policy, trusts, offers, offered",
    [
        ("verify", True, True, True),
        ("verify", True, False, False),
        ("require", False, True, False),
        ("may", False, True, False),
        ("implicit", True, True, True),
        ("implicit", False, True, False),
    ],
)
def test_requiretls(
    evenpost_before, certificates, authority, policy, trusts, offers, offered
):
    """RFC 8689: only from TLS into verified TLS, and where the servers have it."""
    ours = authority.issue("evenpost.test")
    extensions = ("PIPELINING", "REQUIRETLS") if offers else ("PIPELINING",)
    keys = verified(authority) if trusts else {}
    with ScriptedServer(
        tls=server_context(certificates["good"]),
        extensions=extensions,
        implicit=policy == "implicit",
    ) as server:
        evenpost = evenpost_before(
            server,
            pool={"tls": policy, **keys},
            listener={"tls": "offer"},
            tls={"certificates": [ours.as_setting()]},
        )
        with TlsClient(evenpost.port) as client:
            assert "REQUIRETLS" not in client.hello()
            client.command("MAIL FROM:<ann@a.example> REQUIRETLS", 555)
            client.starttls()
            reply = client.command("EHLO client.example", 250)
            assert ("REQUIRETLS" in str(reply)) == offered
            client.command(
                "MAIL FROM:<ann@a.example> REQUIRETLS", 250 if offered else 555
            )
            if offered:
                client.command("RCPT TO:<bob@b.example>", 250)
                assert "MAIL FROM:<ann@a.example> REQUIRETLS" in server.commands()


def test_requiretls_needs_every_server(evenpost_before, certificates, authority, keys):
    """Else it would depend on the server whether it can be kept."""
    context = server_context(certificates["good"])
    with (
        ScriptedServer(tls=context, extensions=("REQUIRETLS",)) as first,
        ScriptedServer(tls=context, extensions=()) as second,
    ):
        evenpost = evenpost_before(
            first,
            second,
            pool={"tls": "verify", **verified(authority)},
            listener={"tls": "offer"},
            tls={"certificates": [keys.mx.as_setting()]},
        )
        with come(evenpost.port, "starttls") as client:
            assert "REQUIRETLS" not in client.extensions


# What has become of two servers that were good when they were probed: the state of the
# certificate, and what is offered.
_CHANGED = {
    "the second is": (("other name", "REQUIRETLS"), ("good", "REQUIRETLS"), 250),
    "none is": (("other name", "REQUIRETLS"), ("expired", "REQUIRETLS"), 451),
    "the first does not offer it": (("good", "DSN"), ("good", "REQUIRETLS"), 250),
}


@pytest.mark.parametrize("first, second, code", _CHANGED.values(), ids=_CHANGED)
def test_requiretls_and_servers_that_change(
    evenpost_before, tls_server, certificates, authority, keys, first, second, code
):
    """The message goes to who can keep it, or to nobody."""
    servers = tls_server("good"), tls_server("good")
    for server in servers:
        server.extensions = ("PIPELINING", "REQUIRETLS")
    evenpost = evenpost_before(
        *servers,
        pool={"tls": "verify", **verified(authority), "health": PROBED_ONCE},
        listener={"tls": "offer"},
        tls={"certificates": [keys.mx.as_setting()]},
    )
    for server, (state, extension) in zip(servers, (first, second)):
        server.tls = server_context(certificates[state])
        server.extensions = ("PIPELINING", extension)
    with come(evenpost.port, "starttls") as client:
        client.command("MAIL FROM:<ann@a.example> REQUIRETLS", 250)
        client.command("RCPT TO:<bob@b.example>", code)
    mail = "MAIL FROM:<ann@a.example> REQUIRETLS"
    assert [mail in server.commands() for server in servers] == [False, code == 250]
