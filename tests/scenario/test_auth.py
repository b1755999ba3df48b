"""AUTH of clients, which servers check (protocol.md "AUTH", threats.md T5)."""

import base64
import itertools
import ssl
import threading

import pytest

from harness.evenpost import PROBED_ONCE, configured
from harness.pki import Authority, server_context
from harness.raw_client import RawClient
from harness.scratch import make_scratch, remove_scratch
from harness.scripted_server import DROP, EXTENSIONS, HANG, LOGIN_FAILED, ScriptedServer, Wait
from harness.tls_client import TlsClient, client_context
from harness.waiting import wait_until
from logins import MECHANISMS, PASSWORD, USER, encode, log_in, log_in_with_cram, plain

_CLEAR = {"auth": "relay-insecure"}


@pytest.fixture(scope="module")
def authority():
    directory = make_scratch()
    yield Authority(directory)
    remove_scratch(directory)


def check_secrecy(evenpost):
    """Whatever it has logged to its end: no password, and nothing that one can be read
    from."""
    evenpost.stop()
    log = evenpost.program.log()
    for secret in (PASSWORD, plain(), encode(PASSWORD), encode("wrong"), plain(password="wrong")):
        assert secret not in log


def memory_of(process, largest=1 << 28):
    """Each range that it can read and write; not the shadows that sanitizers keep."""
    with open(f"/proc/{process}/maps", encoding="utf-8") as maps:
        lines = [line.split() for line in maps]
    with open(f"/proc/{process}/mem", "rb", 0) as memory:
        for start, end in (line[0].split("-") for line in lines if line[1] == "rw-p"):
            size = int(end, 16) - int(start, 16)
            try:
                memory.seek(int(start, 16))
                yield memory.read(size) if size < largest else b""
            except OSError:
                pass  # it was given back meanwhile


def is_in_memory(process, text):
    return any(text.encode() in octets for octets in memory_of(process))


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2])
def test_nothing_is_left_in_memory(evenpost_before, checking_servers, authority, newest):
    """Neither by us nor by OpenSSL, which had it in its buffers."""
    (server,) = checking_servers()
    evenpost = evenpost_before(
        server,
        listener={"tls": "implicit", "auth": "relay"},
        tls={"certificates": [authority.issue("mx.example").as_setting()]},
    )
    client = TlsClient(evenpost.port)
    client.start_tls(client_context(authority, maximum=newest))
    client.hello()
    log_in(client)
    assert is_in_memory(evenpost.program.pid, plain())  # for the next server
    client.close()
    wait_until(
        lambda: not is_in_memory(evenpost.program.pid, plain()[8:]),
        "the password to be gone",
    )


def test_offered_behind_tls(evenpost_before, checking_servers, authority):
    """AUTH is not offered in clear, nor taken."""
    (server,) = checking_servers()
    pair = authority.issue("mx.example")
    evenpost = evenpost_before(
        server,
        listener={"tls": "offer", "auth": "relay"},
        tls={"certificates": [pair.as_setting()]},
        log={"to": "stderr", "format": "logfmt", "level": "debug"},
    )
    with TlsClient(evenpost.port) as client:
        assert "AUTH" not in client.hello()
        client.command(f"AUTH PLAIN {plain()}", "538 5.7.11")
        client.command("AUTH CRAM-MD5", "538 5.7.11")
        client.starttls(client_context(authority))
        hello = client.command("EHLO client.example", 250)
        assert "AUTH PLAIN LOGIN XOAUTH2 CRAM-MD5" in [line[4:] for line in hello.lines]
        log_in(client)
        client.command(f"AUTH PLAIN {plain()}", 503)
        client.send_message()
    (message,) = server.messages
    assert message.user == USER and b" with ESMTPSA id " in message.content
    (line,) = evenpost.wait_event("message")
    assert line["user"] == USER
    check_secrecy(evenpost)


def test_what_all_servers_offer(evenpost_before, checking_servers):
    (first,) = checking_servers()
    (second,) = checking_servers(auth="AUTH LOGIN PLAIN SCRAM-SHA-1")
    evenpost = evenpost_before(first, second, listener=_CLEAR)
    with RawClient(evenpost.port) as client:
        assert client.hello()["AUTH"] == "PLAIN LOGIN"
        client.command("AUTH XOAUTH2", 504)


def test_probes_in_clear_take_nothing_back(evenpost_before, authority):
    """tls-fallback: they do not begin TLS, behind which alone the server offers AUTH."""
    server = ScriptedServer(tls=server_context(authority.issue("fallback.example")))

    def hello(connection):
        lines = ["scripted.test", *EXTENSIONS]
        lines.append("AUTH PLAIN" if connection.encrypted else "STARTTLS")
        return "\n".join([f"250-{line}" for line in lines[:-1]] + [f"250 {lines[-1]}"])

    server.on("ehlo", hello)
    evenpost = evenpost_before(
        server, listener=_CLEAR, pool={"tls": "may", "tls-fallback": True}
    )
    with RawClient(evenpost.port) as client:
        client.hello()
        client.send_message()
    probed = len(server.connections) + 2
    server.wait_for(lambda s: len(s.connections) > probed, "more probes")
    with RawClient(evenpost.port) as client:
        assert client.hello()["AUTH"] == "PLAIN"
    server.stop()


def test_a_server_without_auth_is_named(evenpost_before, checking_servers, scripted_servers):
    """It keeps AUTH from the clients of all, and somebody has to know."""
    (server,), (without,) = checking_servers(), scripted_servers()
    evenpost = evenpost_before(server, without, listener=_CLEAR)
    with RawClient(evenpost.port) as client:
        assert "AUTH" not in client.hello()
    (line,) = evenpost.wait_event("fault")
    assert line["why"].startswith(
        "s2 does not offer AUTH to 127.0.0.1: no client is offered it then."
    )
    assert evenpost.pools()["hubs"]["s1"]["fault"] is None


def test_not_offered(evenpost_before, checking_servers):
    """auth: off is the default."""
    (server,) = checking_servers()
    evenpost = evenpost_before(server)
    with RawClient(evenpost.port) as client:
        assert "AUTH" not in client.hello()
        client.command(f"AUTH PLAIN {plain()}", 502)
    assert not server.logins


def test_plain_in_two_steps(evenpost_before, checking_servers):
    (server,) = checking_servers()
    evenpost = evenpost_before(server, listener=_CLEAR)
    with RawClient(evenpost.port) as client:
        client.hello()
        client.command("AUTH PLAIN", "334 ")
        client.command(plain(), 235)
        client.send_message()
    (login,) = server.logins
    assert (login.mechanism, login.responses) == ("PLAIN", [plain()])
    assert server.messages[0].user == USER


def test_login(evenpost_before, checking_servers):
    """Split into single octets, as slow clients do."""
    (server,) = checking_servers()
    evenpost = evenpost_before(server, listener=_CLEAR)
    with RawClient(evenpost.port) as client:
        client.hello()
        assert client.command("AUTH LOGIN", 334).text == encode("Username:")
        client.send_split(encode(USER).encode() + b"\r\n")
        assert client.expect(334).text == encode("Password:")
        client.send_split(encode(PASSWORD).encode() + b"\r\n")
        client.expect(235)
        client.send_message()
    (login,) = server.logins
    assert (login.mechanism, login.user) == ("LOGIN", USER)
    check_secrecy(evenpost)


def test_xoauth2(evenpost_before, checking_servers):
    """A token that is refused: the server's challenge is answered here."""
    (server,) = checking_servers()
    evenpost = evenpost_before(server, listener=_CLEAR)
    with RawClient(evenpost.port) as client:
        client.hello()
        bad, good = (
            encode(f"user={USER}\1auth=Bearer {token}\1\1") for token in ("x", PASSWORD)
        )
        assert client.command(f"AUTH XOAUTH2 {bad}").lines == [LOGIN_FAILED]
        client.command(f"AUTH XOAUTH2 {good}", 235)
        client.send_message()
    assert [login.accepted for login in server.logins] == [False, True]


def test_failed_login(evenpost_before, checking_servers):
    """The client hears the server word for word, and may try again."""
    (server,) = checking_servers()
    server.on("auth", "535-5.7.8 no\n535 5.7.8 really no", "454 4.7.0 not now", "235 2.7.0 welcome")
    evenpost = evenpost_before(server, listener=_CLEAR)
    with RawClient(evenpost.port) as client:
        client.hello()
        reply = client.command(f"AUTH PLAIN {plain(password='wrong')}")
        assert reply.lines == ["535-5.7.8 no", "535 5.7.8 really no"]
        client.command(f"AUTH PLAIN {plain(password='wrong')}", "454 4.7.0 not now")
        log_in(client)
    first, second = evenpost.wait_event("reject", count=2, phase="auth")
    assert (first["reason"], first["user"]) == ("login", USER)
    assert (second["reason"], second["user"]) == ("server", USER)
    assert first["reply"] == "535-5.7.8"  # the text may hold what the client has said
    check_secrecy(evenpost)


def test_words_for_a_challenge(evenpost_before, checking_servers):
    """AUTH NTLM: the first 334 says what it likes, and is passed on."""
    (server,) = checking_servers(auth="AUTH NTLM")
    evenpost = evenpost_before(server, listener=_CLEAR)
    with RawClient(evenpost.port) as client:
        client.hello()
        client.command("AUTH NTLM", "334 ntlm supported")
        challenge = client.command(encode("NTLMSSP"), 334).text
        assert base64.b64decode(challenge) == b"NTLMSSP\0"
        client.command(encode("me"), 235)
        client.send_message()
    assert len(server.messages) == 1


# What two servers answer to a login, what its client hears, and whether that counts
# against the client.
_ANSWERS = {
    "gone": (DROP, "454 4.7.0 No server can check", True),
    "421": ("421 4.7.0 not with me", "454 4.7.0 No server can check", True),
    "later": ("454 4.7.0 not now", "454 4.7.0 not now", False),
    "not set up": ("530 5.7.0 TLS first", "530 5.7.0 TLS first", False),
    "wrong": ("535 5.7.8 no", "535 5.7.8 no", True),
}


@pytest.mark.parametrize("row", _ANSWERS)
def test_no_server_is_blamed(evenpost_before, checking_servers, row):
    """Nobody gets a server ejected by logins; guessing is limited, whatever comes of it."""
    answer, heard, counts = _ANSWERS[row]
    servers = checking_servers(2)
    for server in servers:
        server.on("auth", answer)
    evenpost = evenpost_before(
        *servers,
        listener={**_CLEAR, "auth-failures": "1/h"},
        pool={"passive": {"failures": 1, "eject": "1h", "max-ejected": "100%"}},
    )
    for expected in (heard, "421 4.7.0 Too many" if counts else heard):
        with RawClient(evenpost.port) as client:
            client.hello()
            client.command(f"AUTH PLAIN {plain()}", expected)
    assert {s["state"] for s in evenpost.pools()["hubs"].values()} == {"up"}


@pytest.mark.parametrize("mechanism", ["PLAIN", "CRAM-MD5"])
def test_guessing_where_the_server_hangs_up(evenpost_before, checking_servers, mechanism):
    """One server, which says nothing to a wrong password and goes: it counts."""
    (server,) = checking_servers()
    server.on("auth", DROP)
    evenpost = evenpost_before(server, listener={**_CLEAR, "auth-failures": "1/h"})
    for expected in ("454 4.7.0", "421 4.7.0 Too many"):
        with RawClient(evenpost.port) as client:
            client.hello()
            if mechanism == "PLAIN" or expected.startswith("421"):
                client.command(f"AUTH PLAIN {plain()}", expected)
            else:
                client.command("AUTH CRAM-MD5", 334)
                client.command(encode(f"{USER} 00"), expected)


def test_a_silent_server_is_not_the_clients_fault(evenpost_before, checking_servers):
    (server,) = checking_servers()
    server.on("auth", HANG)
    evenpost = evenpost_before(
        server,
        listener={**_CLEAR, "auth-failures": "1/h"},
        pool={"timeouts": {"command": "200ms"}},
    )
    for _ in range(2):
        with RawClient(evenpost.port) as client:
            client.hello()
            client.command(f"AUTH PLAIN {plain()}", "454 4.7.0 No server can check")


def test_a_server_that_fails_behind_a_login_is_blamed(evenpost_before, checking_servers):
    """The connection that checked it carries mail like any other."""
    (server,) = checking_servers()
    server.on("data", DROP)
    evenpost = evenpost_before(server, listener=_CLEAR)
    with RawClient(evenpost.port) as client:
        client.hello()
        log_in(client)
        client.command("MAIL FROM:<ann@a.example>", 250)
        client.command("RCPT TO:<bob@b.example>", 250)
        client.command("DATA", 451)
    assert evenpost.pools()["hubs"]["s1"]["failures"]["lost"] > 0


@pytest.mark.parametrize("answer", ["454 4.7.0 not now", "504 5.5.4 unknown", "421 bye", DROP])
def test_another_server_can_tell(evenpost_before, checking_servers, answer):
    cannot, can = checking_servers(2)
    cannot.on("auth", answer)
    evenpost = evenpost_before(cannot, can, listener=_CLEAR)
    for _ in range(2):
        with RawClient(evenpost.port) as client:
            client.hello()
            log_in(client)


def test_idle_in_a_challenge(evenpost_before, checking_servers):
    """A server that is tired of waiting for a client is none that fails."""
    (server,) = checking_servers()
    evenpost = evenpost_before(
        server,
        listener=_CLEAR,
        pool={
            "passive": {"failures": 1, "eject": "1h", "max-ejected": "100%"},
            "health": {"probe": "none"},
        },
    )
    with RawClient(evenpost.port) as client:
        client.hello()
        client.send_message()  # what the server can do is known from now on
    with RawClient(evenpost.port) as client:
        client.hello()
        client.command("AUTH CRAM-MD5", 334)
        visit = server.connections[-1]
        visit.request.sendall(b"421 4.4.2 you are slow\r\n")
        visit.end()
        wait_until(lambda: visit.closed, "the end of it")
        client.command(encode(f"{USER} 00"), "454 4.7.0 The server was lost")
    assert evenpost.pools()["hubs"]["s1"]["state"] == "up"


def test_failures_are_limited(evenpost_before, checking_servers):
    """Per client, over its sessions; no server is asked any more."""
    (server,) = checking_servers()
    evenpost = evenpost_before(server, listener={**_CLEAR, "auth-failures": "2/h"})
    for _ in range(2):
        with RawClient(evenpost.port) as client:
            client.hello()
            client.command(f"AUTH PLAIN {plain(password='wrong')}", 535)
    with RawClient(evenpost.port) as client:
        client.hello()
        client.command(f"AUTH PLAIN {plain()}", "421 4.7.0")
        assert client.read_to_end() == b""
    assert len(server.logins) == 2
    with RawClient(evenpost.port, source="127.0.0.2") as client:
        client.hello()
        log_in(client)


def test_cancelled_and_malformed(evenpost_before, checking_servers):
    (server,) = checking_servers()
    evenpost = evenpost_before(server, listener=_CLEAR)
    with RawClient(evenpost.port) as client:
        client.hello()
        client.command("AUTH LOGIN", 334)
        client.command("*", "501 5.7.0")
        client.command("AUTH LOGIN", 334)
        client.command("!", "501 5.5.2")
        client.command(f"AUTH PLAIN {encode('no nul')}", "501 5.5.2")
        client.command("AUTH CRAM-MD5", 334)
        client.command("*", "501 5.7.0")
        log_in(client)
        client.send_message()
    assert [login.mechanism for login in server.logins] == ["PLAIN"]


def test_messages_are_shared_evenly(evenpost_before, checking_servers):
    """One session's messages, with the credentials said to both servers, once each."""
    first, second = checking_servers(2)
    evenpost = evenpost_before(first, second, listener=_CLEAR)
    with RawClient(evenpost.port) as client:
        client.hello()
        log_in(client)
        for _ in range(20):
            client.send_message()
    for server in (first, second):
        assert len(server.messages) == 10
        assert {m.user for m in server.messages} == {USER}
        assert [login.user for login in server.logins] == [USER]
    check_secrecy(evenpost)


def test_connections_are_one_users(evenpost_before, checking_servers):
    """Who has not logged in, and who is somebody else, gets no connection of a user's."""
    (server,) = checking_servers()
    server.users["eve"] = "x"
    evenpost = evenpost_before(server, listener=_CLEAR, workers=1)
    with RawClient(evenpost.port) as ann, RawClient(evenpost.port) as eve, RawClient(
        evenpost.port
    ) as nobody:
        for client in (ann, eve, nobody):
            client.hello()
        log_in(ann)
        log_in(eve, "eve", "x")
        for client in (ann, eve, nobody, ann):
            client.send_message()
    assert [m.user for m in server.messages] == [USER, "eve", None, USER]


def test_before_and_after(evenpost_before, checking_servers):
    """A message before AUTH, and RSET and EHLO behind it: the user stays."""
    (server,) = checking_servers()
    evenpost = evenpost_before(server, listener=_CLEAR)
    with RawClient(evenpost.port) as client:
        client.hello()
        client.send_message()
        log_in(client)
        client.command("RSET", 250)
        client.send_message()
        client.command("EHLO other.example", 250)
        client.send_message()
    assert [m.user for m in server.messages] == [None, USER, USER]
    lines = evenpost.wait_event("message", count=3)
    assert [line["user"] for line in lines] == ["-", USER, USER]


def test_server_dies(evenpost_before, checking_servers):
    """Before it has checked, and before the message: the other one gets both."""
    first, second = checking_servers(2)
    evenpost = evenpost_before(first, second, listener=_CLEAR, workers=1)
    asked = itertools.count()
    for server in (first, second):
        server.on("auth", lambda _: "235 2.7.0 welcome" if next(asked) else DROP)
    with RawClient(evenpost.port) as client:
        client.hello()
        log_in(client)
        assert len(first.logins) == len(second.logins) == 1
        (alive,) = wait_until(
            lambda: [s for s in (first, second) if s.logins[-1].accepted], "a login"
        )
        dead = second if alive is first else first
        dead.stop()
        for _ in range(4):
            client.send_message()
    assert [m.user for m in alive.messages] == [USER] * 4


def part_by_login(first, second):
    """The one that has checked the only login so far, and the other."""
    return (first, second) if first.logins else (second, first)


def be_dismissed(client):
    """A message finds no server for the login: deferred once, and the session ends."""
    client.command("MAIL FROM:<ann@a.example>", 250)
    client.command("RCPT TO:<bob@b.example>", "451 4.7.0 No server takes your login")
    client.command("RSET", 250)
    client.command("MAIL FROM:<ann@a.example>", "421 4.7.0")
    assert client.read_to_end() == b""


def _walk_out(connection):
    return DROP


@pytest.mark.parametrize(
    "answer",
    ["535 5.7.8 no", "530 5.7.0 TLS first", _walk_out],
    ids=["wrong", "not so", "gone"],
)
def test_replay_is_refused(evenpost_before, checking_servers, answer):
    """A server that does not take the login hears it once a session: wrong ones lock
    accounts. The others have the mail, and none left is the session's end."""
    first, second = checking_servers(2)
    evenpost = evenpost_before(
        first,
        second,
        listener=_CLEAR,
        pool={"passive": {"failures": 1}, "reuse": {"max-messages": 1}},
    )
    with RawClient(evenpost.port) as client:
        client.hello()
        log_in(client)
        knows, other = part_by_login(first, second)
        other.on("auth", answer)
        for _ in range(6):
            client.send_message()
        assert len(knows.messages) == 6 and len(other.logins) == 1
        assert {s["state"] for s in evenpost.pools()["hubs"].values()} == {"up"}
        knows.users = {}
        logins = len(knows.logins)
        be_dismissed(client)
        assert len(other.logins) == 1 and len(knows.logins) == logins + 1
    (line,) = evenpost.wait_event("reject", phase="mail")
    assert line["reason"] == "login" and line["user"] == USER
    check_secrecy(evenpost)


def test_password_is_changed(evenpost_before, checking_servers):
    """In the middle of a session: each server hears the old one once more at most, and
    the client hears about it when it comes again."""
    servers = checking_servers(2)
    evenpost = evenpost_before(
        *servers, listener=_CLEAR, pool={"reuse": {"max-messages": 1}}, workers=1
    )
    with RawClient(evenpost.port) as client:
        client.hello()
        log_in(client)
        while not all(server.messages for server in servers):
            client.send_message()  # and no connection is left that has heard it
        logins = sum(len(server.logins) for server in servers)
        for server in servers:
            server.users = {USER: "another"}
        be_dismissed(client)
    assert sum(len(server.logins) for server in servers) - logins <= 2
    with RawClient(evenpost.port) as client:
        client.hello()
        client.command(f"AUTH PLAIN {plain()}", 535)
        log_in(client, password="another")
        client.send_message()
    check_secrecy(evenpost)


@pytest.mark.parametrize("reply", ["454 4.7.0 not now", "421 4.3.2 going down"])
def test_replay_cannot_be_checked_now(evenpost_before, checking_servers, reply):
    """That passes: the server is asked again with the next message."""
    first, second = checking_servers(2)
    evenpost = evenpost_before(first, second, listener=_CLEAR)
    with RawClient(evenpost.port) as client:
        client.hello()
        log_in(client)
        knows, other = part_by_login(first, second)
        other.on("auth", reply)
        for _ in range(4):
            client.send_message()
        assert len(knows.messages) == 4
        other.on("auth", "235 2.7.0 welcome")
        for _ in range(4):
            client.send_message()
        assert other.messages and {m.user for m in other.messages} == {USER}


def test_server_that_takes_the_login_is_away(evenpost_before, checking_servers):
    """That passes: the session stays, and the other server does not hear it again."""
    first, second = checking_servers(2)
    evenpost = evenpost_before(
        first,
        second,
        listener=_CLEAR,
        pool={"reuse": {"max-messages": 1}, "health": PROBED_ONCE},
    )
    with RawClient(evenpost.port) as client:
        client.hello()
        log_in(client)
        knows, other = part_by_login(first, second)
        other.users = {}
        while not other.logins:
            client.send_message()  # over the connection of the login, which ends then
        knows.on("greeting", "421 4.3.2 busy")
        for _ in range(3):
            client.command("MAIL FROM:<ann@a.example>", 250)
            client.command("RCPT TO:<bob@b.example>", "451 4.3.2")
            client.command("RSET", 250)
        knows.on("greeting", "220 scripted.test ESMTP")
        client.send_message()
    assert len(other.logins) == 1


def test_only_a_server_that_refuses_is_able(evenpost_before, checking_servers):
    """It may take the login another time: nothing is refused for good until then."""
    able, other = checking_servers(2)
    evenpost = evenpost_before(
        able,
        other,
        listener=_CLEAR,
        pool={"reuse": {"max-messages": 1}, "health": PROBED_ONCE},
        workers=1,
    )
    with RawClient(evenpost.port) as client:
        client.hello()
        log_in(client)
        other.unlearn("SMTPUTF8")
        while not (len(other.messages) > 1 and able.messages):
            client.send_message()  # and no connection is left from before
        able.users = {}
        logins = len(able.logins)
        for _ in range(2):
            client.command("MAIL FROM:<ann@a.example> SMTPUTF8", 250)
            client.command("RCPT TO:<bob@b.example>", "451 4.3.2")
            client.command("RSET", 250)
        assert len(able.logins) == logins + 1
        client.send_message()


def test_many_servers_refuse(evenpost_before, checking_servers):
    """After three it is the login that is wrong: no other server hears it."""
    servers = checking_servers(6)
    evenpost = evenpost_before(
        *servers, listener=_CLEAR, pool={"retry": {"attempts": 5}}, workers=1
    )
    with RawClient(evenpost.port) as client:
        client.hello()
        log_in(client)
        for server in servers:
            server.users = {}
        be_dismissed(client)
    assert sum(len(server.logins) for server in servers) == 1 + 3


def test_servers_words_come_first(evenpost_before, checking_servers):
    """Where the server that takes the login defers the message, the session goes on."""
    first, second = checking_servers(2)
    evenpost = evenpost_before(first, second, listener=_CLEAR)
    with RawClient(evenpost.port) as client:
        client.hello()
        log_in(client)
        knows, other = part_by_login(first, second)
        other.users = {}
        knows.on("mail", "450 4.7.1 greylisted")
        for _ in range(2):
            client.command("MAIL FROM:<ann@a.example>", 250)
            client.command("RCPT TO:<bob@b.example>", "450 4.7.1 greylisted")
            client.command("RSET", 250)
        knows.on("mail", "250 2.1.0 Ok")
        client.send_message()
    assert len(other.logins) <= 1


def test_bound(evenpost_before, checking_servers):
    """CRAM-MD5 can be said to one server alone: that gets all messages."""
    first, second = checking_servers(2)
    evenpost = evenpost_before(
        first, second, listener=_CLEAR, pool={"reuse": {"max-messages": 2}}
    )
    with RawClient(evenpost.port) as client:
        client.hello()
        assert log_in_with_cram(client).code == 235
        for _ in range(5):
            client.send_message()
        client.command("MAIL FROM:<ann@a.example>", 250)
        client.command("RCPT TO:<bob@b.example>", 250)
        client.command("RSET", 250)
        client.command("EHLO other.example", 250)
        client.send_message()
    (server,) = [s for s in (first, second) if s.messages]
    assert [m.user for m in server.messages] == [USER] * 6
    assert len({m.connection for m in server.messages}) == 1
    assert not (second if server is first else first).logins


def test_bound_and_wrong(evenpost_before, checking_servers):
    (server,) = checking_servers()
    evenpost = evenpost_before(server, listener=_CLEAR)
    with RawClient(evenpost.port) as client:
        client.hello()
        client.command("AUTH CRAM-MD5", 334)
        assert client.command(encode(f"{USER} 00")).lines == [LOGIN_FAILED]
        assert log_in_with_cram(client).code == 235
        client.send_message()


def test_bound_and_lost(evenpost_before, checking_servers):
    """Between messages: 421, since no other server knows the client."""
    first, second = checking_servers(2)
    evenpost = evenpost_before(first, second, listener=_CLEAR)
    with RawClient(evenpost.port) as client:
        client.hello()
        assert log_in_with_cram(client).code == 235
        client.send_message()
        (server,) = [s for s in (first, second) if s.messages]
        server.stop()
        evenpost.wait_state("s1" if server is first else "s2", "down")
        client.command("MAIL FROM:<ann@a.example>", "421 4.3.2")
        assert client.read_to_end() == b""


def test_bound_and_lost_in_a_message(evenpost_before, checking_servers):
    (server,) = checking_servers()
    server.on("rcpt", DROP)
    evenpost = evenpost_before(server, listener=_CLEAR)
    with RawClient(evenpost.port) as client:
        client.hello()
        assert log_in_with_cram(client).code == 235
        client.command("MAIL FROM:<ann@a.example>", 250)
        client.command("RCPT TO:<bob@b.example>", "451 4.3.2")
        client.command("RSET", 250)
        client.command("MAIL FROM:<ann@a.example>", "421 4.3.2")


def test_bound_and_lost_in_the_exchange(evenpost_before, checking_servers):
    (server,) = checking_servers()
    evenpost = evenpost_before(server, listener=_CLEAR, pool={"timeouts": {"command": "10s"}})
    with RawClient(evenpost.port) as client:
        client.hello()
        client.command("AUTH CRAM-MD5", 334)
        server.stop()
        evenpost.wait_state("s1", "down")
        client.command(encode(f"{USER} 00"), "454 4.7.0 The server was lost")
        client.command("NOOP", 250)


def test_client_goes(evenpost_before, checking_servers):
    """While its login is under way: the server is left, too."""
    (server,) = checking_servers()
    left = threading.Event()
    server.on("auth", Wait(left, "235 2.7.0 welcome"))
    evenpost = evenpost_before(server, listener=_CLEAR)
    with RawClient(evenpost.port) as client:
        client.hello()
        client.send(f"AUTH PLAIN {plain()}\r\n".encode())
        wait_until(lambda: server.logins, "AUTH")
        (visit,) = [c for c in server.connections if any("AUTH" in x for x in c.commands)]
        client.reset()
    evenpost.wait_event("session", end="lost", user="-")
    left.set()
    wait_until(lambda: visit.closed, "the end at the server")
    check_secrecy(evenpost)


def test_stop_while_a_login_is_under_way(evenpost_before, checking_servers):
    (server,) = checking_servers()
    server.on("auth", HANG)
    evenpost = evenpost_before(server, listener=_CLEAR)
    with RawClient(evenpost.port) as client:
        client.hello()
        client.send(f"AUTH PLAIN {plain()}\r\n".encode())
        wait_until(lambda: server.logins, "AUTH")
        evenpost.stop()
        assert client.read_to_end().startswith(b"421 4.3.2")


def test_waits_for_a_place(evenpost_before, checking_servers):
    """A server with one place checks one login after the other."""
    (server,) = checking_servers()
    evenpost = evenpost_before(
        configured(server, max_connections=1), listener=_CLEAR, pool={"queue": "1h"}
    )
    clients = [RawClient(evenpost.port) for _ in range(3)]
    for client in clients:
        client.hello()
        client.send(f"AUTH PLAIN {plain()}\r\n".encode())
    for client in clients:
        client.expect(235)
        client.send_message()
        client.command("QUIT", 221)
        client.close()
    assert len(server.messages) == 3


def test_xclient_that_refuses_a_name(evenpost_before, checking_servers):
    """That is between it and the client: no fault of its set-up, no failure."""
    first, second = checking_servers(2, extensions=(*EXTENSIONS, "XCLIENT ADDR LOGIN"))
    for server in (first, second):
        server.on("xclient", _refuse_logins)
    evenpost = evenpost_before(
        first,
        second,
        listener=_CLEAR,
        pool={
            "identity": "xclient",
            "repeat-login": "xclient",
            "passive": {"failures": 1, "eject": "1h", "max-ejected": "100%"},
        },
    )
    with RawClient(evenpost.port) as client:
        client.hello()
        log_in(client)
        for _ in range(3):
            client.send_message()
    servers = evenpost.pools()["hubs"].values()
    assert {(s["state"], s["fault"]) for s in servers} == {("up", None)}


def _refuse_logins(connection):
    if "LOGIN=" in connection.commands[-1]:
        return "501 5.5.4 Bad LOGIN"
    return "220 scripted.test ESMTP"


def test_places_that_are_held(evenpost_before, checking_servers):
    """A server whose places are all kept for clients that are bound to it is full: the
    others are used without waiting."""
    servers = checking_servers(3)
    evenpost = evenpost_before(
        *(configured(server, max_connections=1) for server in servers),
        listener=_CLEAR,
        pool={"queue": "1h"},
        workers=1,
    )
    bound = [RawClient(evenpost.port) for _ in range(2)]
    for client in bound:
        client.hello()
        assert log_in_with_cram(client).code == 235
    for _ in range(3):
        with RawClient(evenpost.port) as client:
            client.hello()
            client.send_message()
    assert sorted(s["held"] for s in evenpost.pools()["hubs"].values()) == [0, 1, 1]
    for client in bound:
        client.send_message()
        client.close()
    assert sorted(len(server.messages) for server in servers) == [1, 1, 3]


def test_no_place(evenpost_before, checking_servers):
    (server,) = checking_servers()
    evenpost = evenpost_before(
        configured(server, max_connections=1), listener=_CLEAR, pool={"queue": "200ms"}
    )
    with RawClient(evenpost.port) as bound, RawClient(evenpost.port) as other:
        bound.hello()
        assert log_in_with_cram(bound).code == 235
        other.hello()
        other.command(f"AUTH PLAIN {plain()}", "454 4.7.0 All servers are busy")


def test_hash_on_user(evenpost_before, checking_servers):
    """Each user has one server, whoever sends from where to whom."""
    first, second = checking_servers(2)
    users = [f"user{n}" for n in range(8)]
    for server in (first, second):
        server.users = {user: "x" for user in users}
    evenpost = evenpost_before(
        first, second, listener=_CLEAR, pool={"balance": "hash", "hash-on": "user"}
    )
    for user, number in itertools.product(users, range(3)):
        with RawClient(evenpost.port, source=f"127.0.0.{number + 1}") as client:
            client.hello()
            log_in(client, user, "x")
            client.send_message(f"to{number}@b.example")
    seen = [{m.user for m in server.messages} for server in (first, second)]
    assert not seen[0] & seen[1] and seen[0] and seen[1]
    assert len(first.messages) + len(second.messages) == 24
    logins = [*first.logins, *second.logins]
    assert len(logins) == 24  # the message goes where the login was checked


def test_a_name_that_xclient_has_no_room_for(evenpost_before, checking_servers):
    """A server that could not be told it hears AUTH: its mail is not nobody's."""
    servers = checking_servers(2, extensions=(*EXTENSIONS, "XCLIENT ADDR LOGIN"))
    name = "\u00fc" * 60 + "@a.example"
    for server in servers:
        server.users = {name: PASSWORD}
    evenpost = evenpost_before(
        *servers, listener=_CLEAR, pool={"identity": "xclient", "repeat-login": "xclient"}
    )
    with RawClient(evenpost.port) as client:
        client.hello()
        log_in(client, name)
        for _ in range(2):
            client.send_message()
    assert [m.user for s in servers for m in s.messages] == [name, name]


@pytest.mark.parametrize(
    ("mechanism", "response", "user"),
    [
        ("PLAIN", plain(acts_for="bob@b.example"), USER),
        (
            "OAUTHBEARER",
            encode(f"n,a=bob@b.example,\1auth=Bearer {PASSWORD}\1\1"),
            "bob@b.example",
        ),
        ("XOAUTH2", encode(f"user={USER}\1auth=Bearer {PASSWORD}\1\1"), USER),
    ],
)
def test_who_acts_for_another_is_not_told_by_xclient(
    evenpost_before, checking_servers, mechanism, response, user
):
    """LOGIN would make the client one whose rights it did not ask for, or does not have."""
    servers = checking_servers(
        2,
        auth="AUTH PLAIN XOAUTH2 OAUTHBEARER",
        extensions=(*EXTENSIONS, "XCLIENT ADDR LOGIN"),
    )
    evenpost = evenpost_before(
        *servers, listener=_CLEAR, pool={"identity": "xclient", "repeat-login": "xclient"}
    )
    with RawClient(evenpost.port) as client:
        client.hello()
        client.command(f"AUTH {mechanism} {response}", 235)
        for _ in range(2):
            client.send_message()
    assert [len(s.messages) for s in servers] == [1, 1]
    commands = [c for s in servers for c in s.commands()]
    assert commands.count(f"AUTH {mechanism} {response}") == 2
    assert not [c for c in commands if "LOGIN=" in c]
    assert [m.user for s in servers for m in s.messages] == [USER, USER]
    assert {line["user"] for line in evenpost.wait_event("message", count=2)} == {user}


@pytest.mark.parametrize(
    ("attributes", "repeated", "by_xclient"),
    [
        ("ADDR PORT LOGIN", "xclient", True),
        ("ADDR PORT", "xclient", False),
        ("ADDR PORT LOGIN", "auth", False),
    ],
)
def test_xclient(evenpost_before, checking_servers, attributes, repeated, by_xclient):
    """repeat-login: the other server hears AUTH, or LOGIN by XCLIENT if it takes that."""
    first, second = checking_servers(
        2, extensions=(*EXTENSIONS, f"XCLIENT {attributes}")
    )
    evenpost = evenpost_before(
        first,
        second,
        listener=_CLEAR,
        pool={"identity": "xclient", "repeat-login": repeated},
    )
    with RawClient(evenpost.port) as client:
        client.hello()
        log_in(client)
        for _ in range(4):
            client.send_message()
    assert len(first.messages) == len(second.messages) == 2
    told = [c for s in (first, second) for c in s.commands() if "LOGIN=" in c]
    assert len(told) == by_xclient
    assert len(first.logins) + len(second.logins) == (1 if by_xclient else 2)
    assert all(c.endswith("127.0.0.1") and f"LOGIN={USER}" in c for c in told)
