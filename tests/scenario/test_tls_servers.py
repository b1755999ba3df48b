"""TLS towards servers: which policy sends mail to which server, and what is said of it."""

import ssl

import pytest

from harness.certificate import make_certificate
from harness.evenpost import EAGER_HEALTH
from harness.pki import Authority, Pair, server_context
from harness.raw_client import RawClient
from harness.scripted_server import DROP, ScriptedServer
from harness.tls_client import TlsClient

NAME = "hub.test"
UNPROBED = {"health": {"probe": "none"}}
PROBED_ONCE = {**EAGER_HEALTH, "interval": "1h", "fast-interval": "1h"}

ENCRYPTED, CLEAR, NOTHING = "encrypted", "in clear", "not delivered"


@pytest.fixture(scope="module")
def authority(session_scratch):
    return Authority(session_scratch, "root")


@pytest.fixture(scope="module")
def certificates(session_scratch, authority):
    """What servers show: {state: files}."""
    between = Authority(session_scratch, "between", authority)
    selfmade = session_scratch / "selfmade"
    selfmade.mkdir()
    return {
        "good": between.issue(NAME),
        "address": authority.issue("IP:127.0.0.1"),
        "other name": authority.issue("other.test"),
        "self-signed": Pair(*make_certificate(selfmade, NAME)),
        "expired": authority.issue(NAME, days=0),
        "ends soon": authority.issue(NAME, days=5),
        "cut": between.issue(NAME, file="cut", chain=False),
    }


def babble(connection):
    """Answers the client's part of the handshake, once it is there, with mail."""
    connection.request.recv(1)
    return b"250 this is no TLS\r\n"


# What each kind of server does: the certificate, and how it is scripted.
SERVERS = {
    "without": (None, {}),
    "good": ("good", {}),
    "expired": ("expired", {}),
    "other name": ("other name", {}),
    "self-signed": ("self-signed", {}),
    "cut": ("cut", {}),
    "454": ("good", {"starttls": "454 4.7.0 not now"}),
    "502": ("good", {"starttls": "502 5.5.1 what"}),
    "drops": ("good", {"handshake": DROP}),
    "babbles": ("good", {"handshake": babble}),
    "spoken for": ("good", {"starttls": b"220 go ahead\r\n250 injected\r\n"}),
}

OFFERS_NONE = "s1 does not offer STARTTLS to 127.0.0.1: let it have a certificate"
REFUSES = "s1 offers, and then refuses, STARTTLS to 127.0.0.1: let it have a certificate"
SAYS_MORE = (
    "s1 says more than its reply to STARTTLS to 127.0.0.1: "
    "see whether somebody on the way puts words in its mouth"
)

# Policy and server: what becomes of a message, and how the fault begins.
MATRIX = {
    ("off", "without"): (CLEAR, None),
    ("off", "good"): (CLEAR, None),
    ("may", "without"): (CLEAR, None),
    ("may", "good"): (ENCRYPTED, None),
    ("may", "expired"): (ENCRYPTED, None),
    ("may", "other name"): (ENCRYPTED, None),
    ("may", "self-signed"): (ENCRYPTED, None),
    ("may", "cut"): (ENCRYPTED, None),
    ("may", "454"): (CLEAR, None),
    ("may", "502"): (NOTHING, None),
    ("may", "drops"): (NOTHING, None),
    ("may", "babbles"): (NOTHING, None),
    ("may", "spoken for"): (NOTHING, SAYS_MORE),
    ("require", "without"): (NOTHING, OFFERS_NONE),
    ("require", "good"): (ENCRYPTED, None),
    ("require", "expired"): (ENCRYPTED, None),
    ("require", "other name"): (ENCRYPTED, None),
    ("require", "self-signed"): (ENCRYPTED, None),
    ("require", "cut"): (ENCRYPTED, None),
    ("require", "454"): (NOTHING, REFUSES),
    ("require", "502"): (NOTHING, REFUSES),
    ("require", "drops"): (NOTHING, None),
    ("require", "babbles"): (NOTHING, None),
    ("require", "spoken for"): (NOTHING, SAYS_MORE),
    ("verify", "without"): (NOTHING, OFFERS_NONE),
    ("verify", "good"): (ENCRYPTED, None),
    ("verify", "expired"): (NOTHING, "s1: certificate has expired"),
    ("verify", "other name"): (NOTHING, "s1: hostname mismatch"),
    ("verify", "self-signed"): (NOTHING, "s1: self-signed certificate"),
    ("verify", "cut"): (NOTHING, "s1: unable to get local issuer certificate"),
    ("verify", "454"): (NOTHING, REFUSES),
    ("verify", "drops"): (NOTHING, None),
    ("verify", "spoken for"): (NOTHING, SAYS_MORE),
}

# Of servers that speak TLS from the first byte, or do not, with and without tls-ca.
IMPLICIT = {
    ("believes", "without"): (NOTHING, None),
    ("believes", "good"): (ENCRYPTED, None),
    ("believes", "expired"): (ENCRYPTED, None),
    ("believes", "drops"): (NOTHING, None),
    ("verifies", "good"): (ENCRYPTED, None),
    ("verifies", "expired"): (NOTHING, "s1: certificate has expired"),
    ("verifies", "self-signed"): (NOTHING, "s1: self-signed certificate"),
}


def titles(matrix):
    return [" - ".join(key) for key in matrix]


@pytest.fixture
def tls_server(certificates):
    """Makes one of SERVERS."""
    made = []

    def make(kind, **keys):
        shown, script = SERVERS[kind]
        context = server_context(certificates[shown]) if shown else None
        server = ScriptedServer(tls=context, **keys)
        for stage, action in script.items():
            server.on(stage, action)
        made.append(server)
        return server

    yield make
    for server in made:
        server.stop()


def verified(authority):
    """The keys of a pool that verifies its servers."""
    return {"tls-ca": str(authority.file), "tls-name": NAME}


def send_message(evenpost, expected=250):
    """Sends one and returns the reply to its recipient."""
    with RawClient(evenpost.port) as client:
        client.hello()
        client.command("MAIL FROM:<ann@a.example>", 250)
        reply = client.command("RCPT TO:<bob@b.example>")
        if reply.code == 250:
            client.command("DATA", 354)
            client.send(b"Subject: a\r\n\r\nb\r\n.\r\n")
            client.expect(250)
        client.command("QUIT", 221)
    assert reply.code == expected, reply
    return reply


def fault(evenpost, name="s1"):
    return evenpost.pools()["hubs"][name]["fault"]


def check(evenpost, server, outcome, begins):
    """Sends a message and looks what became of it."""
    send_message(evenpost, 451 if outcome == NOTHING else 250)
    assert [message.encrypted for message in server.messages] == {
        ENCRYPTED: [True],
        CLEAR: [False],
        NOTHING: [],
    }[outcome]
    if outcome != NOTHING:
        (line,) = evenpost.wait_event("message")
        assert line["server_tls"] == ("TLSv1.3" if outcome == ENCRYPTED else "-")
    said = fault(evenpost)
    assert (said or "").startswith(begins or ""), said
    assert (said is None) == (begins is None), said
    assert not any("MAIL" in c for c in server.commands()) or server.messages


@pytest.mark.parametrize("policy, kind", MATRIX, ids=titles(MATRIX))
def test_matrix(evenpost_before, tls_server, authority, policy, kind):
    server = tls_server(kind)
    keys = verified(authority) if policy == "verify" else {}
    evenpost = evenpost_before(server, pool={"tls": policy, **keys, **UNPROBED})
    check(evenpost, server, *MATRIX[policy, kind])


@pytest.mark.parametrize("trust, kind", IMPLICIT, ids=titles(IMPLICIT))
def test_implicit(evenpost_before, tls_server, authority, trust, kind):
    server = tls_server(kind, implicit=SERVERS[kind][0] is not None)
    keys = verified(authority) if trust == "verifies" else {}
    if not server.tls:
        server.on("greeting", "220 in clear")
    evenpost = evenpost_before(server, pool={"tls": "implicit", **keys, **UNPROBED})
    check(evenpost, server, *IMPLICIT[trust, kind])


def test_another_server(evenpost_before, tls_server, authority):
    """A server whose certificate will not do is one that fails: another one is tried."""
    bad, good = tls_server("other name"), tls_server("good")
    evenpost = evenpost_before(
        bad, good, pool={"tls": "verify", **verified(authority), **UNPROBED}
    )
    for _ in range(4):
        send_message(evenpost)
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
    send_message(evenpost, 451)
    assert fault(evenpost)
    server.tls = server_context(certificates["good"])
    send_message(evenpost)
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
    send_message(evenpost)
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
        send_message(evenpost)
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
        send_message(evenpost)
    assert [visit.resumed for visit in server.connections] == [False, True, True]


def test_reuse(evenpost_before, tls_server):
    """A warm connection stays encrypted, and is not shaken hands with again."""
    server = tls_server("good")
    evenpost = evenpost_before(server, pool={"tls": "require", **UNPROBED}, workers=1)
    for _ in range(3):
        send_message(evenpost)
    assert len(server.connections) == 1
    assert [m.encrypted for m in server.messages] == [True] * 3
    assert server.commands().count("STARTTLS") == 1


def test_extensions_anew(evenpost_before, tls_server):
    """RFC 3207 4.2: what was announced before the handshake is void."""
    server = tls_server("good")
    server.on("ehlo", "250-a\n250-DSN\n250 STARTTLS", "250-a\n250 SIZE 4711")
    evenpost = evenpost_before(server, pool={"tls": "may", **UNPROBED})
    send_message(evenpost)
    with RawClient(evenpost.port) as client:
        announced = client.hello()
    assert announced["SIZE"] == "4711"
    assert "DSN" not in announced and "STARTTLS" not in announced


@pytest.mark.parametrize("kind", ["drops", "babbles", "502"])
def test_fallback(evenpost_before, tls_server, kind):
    """tls-fallback: a new connection, in clear, to the same server; and it is said."""
    server = tls_server(kind)
    evenpost = evenpost_before(
        server, pool={"tls": "may", "tls-fallback": True, **UNPROBED}
    )
    check(evenpost, server, CLEAR, "s1 gets mail in clear, by tls-fallback: ")
    first, second = server.connections
    assert first.commands[:2] == ["EHLO evenpost.test", "STARTTLS"]
    assert "STARTTLS" not in second.commands
    send_message(evenpost)
    assert len(evenpost.wait_event("fault")) == 1


def test_no_fallback_from_an_attack(evenpost_before, tls_server):
    server = tls_server("spoken for")
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
        send_message(evenpost)
    server.wait_for(lambda s: all(c.closed for c in s.connections), "the ends")
    server_now = evenpost.pools()["hubs"]["s1"]
    assert server_now["state"] == "up" and not any(server_now["failures"].values())


def test_cut_off_in_a_reply(evenpost_before, tls_server):
    """An end that nobody announced, in the middle of things, is a failure."""
    first, second = tls_server("good"), tls_server("good")
    first.on("mail", DROP)
    evenpost = evenpost_before(first, second, pool={"tls": "require", **UNPROBED})
    for _ in range(2):
        send_message(evenpost)
    assert len(second.messages) == 2
    assert evenpost.pools()["hubs"]["s1"]["failures"]["lost"] > 0


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
    assert first["certificate"]["days_left"] == 29
    assert first["certificate"]["expires"].endswith("Z")
    assert server.connections[0].commands[:3] == [
        *("EHLO evenpost.test", "STARTTLS", "EHLO evenpost.test")
    ]
    assert not evenpost.log_events("certificate")


@pytest.mark.parametrize(
    "policy, kind, result, begins",
    [
        ("may", "without", "STARTTLS is not offered", None),
        ("require", "without", "STARTTLS is not offered", OFFERS_NONE),
        ("require", "454", "STARTTLS 454 4.7.0 not now", REFUSES),
        ("require", "drops", None, None),
        ("require", "spoken for", "STARTTLS: spoke before the handshake", SAYS_MORE),
        ("verify", "expired", "TLS: certificate verify failed: ", "s1: certificate has"),
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
    assert (line["pool"], line["server"], line["days"]) == ("hubs", "s1", "4")
    assert line["why"].startswith(f"CN={NAME}, signed by CN=root, ends on 20")
    server.on("greeting", "554 no service")
    evenpost.wait_state("s1", "down")
    assert last_probe(evenpost)["certificate"]["days_left"] == 4
    assert len(evenpost.log_events("certificate")) == 1


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
    send_message(evenpost)


# ---- REQUIRETLS ----


@pytest.mark.parametrize(
    "policy, offers, offered",
    [
        ("verify", True, True),
        ("verify", False, False),
        ("require", True, False),
    ],
)
def test_requiretls(
    evenpost_before, certificates, authority, policy, offers, offered
):
    """RFC 8689: only from TLS into verified TLS, and where the servers have it."""
    ours = authority.issue("evenpost.test")
    extensions = ("PIPELINING", "REQUIRETLS") if offers else ("PIPELINING",)
    keys = verified(authority) if policy == "verify" else {}
    with ScriptedServer(
        tls=server_context(certificates["good"]), extensions=extensions
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
