"""evenpost's own login at the servers of a pool (pools.*.auth)."""

import base64
import json
import os
import signal
import ssl
import threading

import pytest

from encryption import come
from harness.pki import Authority
from harness.raw_client import RawClient, send_one
from harness.scripted_server import DROP, EXTENSIONS, Wait
from harness.waiting import wait_until

USER, PASSWORD = "hub@evenpost.test", "correct horse"
PLAIN = base64.b64encode(f"\0{USER}\0{PASSWORD}".encode()).decode()
NAME = base64.b64encode(USER.encode()).decode()
SECRET = base64.b64encode(PASSWORD.encode()).decode()
REFUSAL = "535 5.7.8 authentication failed"


@pytest.fixture
def password(scratch):
    """The password file, and a function that puts another one in its place."""
    file = scratch / "password"

    def put(text):
        fresh = scratch / "password.new"
        fresh.write_text(f"{text}\n")
        fresh.chmod(0o600)
        os.replace(fresh, file)

    put(PASSWORD)
    return file, put


@pytest.fixture
def start(evenpost_before, password):
    def begin(*servers, workers=2, **pool):
        for server in servers:
            server.users = {USER: PASSWORD}
        auth = {"username": USER, "password-file": str(password[0])}
        return evenpost_before(*servers, pool={"auth": auth, **pool}, workers=workers)

    return begin


def offering(mechanisms):
    return {"extensions": (*EXTENSIONS, f"AUTH {mechanisms}")}


def spoken(server):
    """What the connection that carried the first mail began with."""
    (visit,) = [c for c in server.connections if any("AUTH" in x for x in c.commands)]
    return visit.commands


def logins(server):
    return [c for c in server.commands() if c.startswith("AUTH")]


def fault(evenpost):
    (line,) = evenpost.wait_event("fault")
    return line["why"]


def assert_no_secret(evenpost):
    """To the end of its log."""
    evenpost.stop()
    log = evenpost.program.log()
    for secret in (PASSWORD, SECRET, PLAIN):
        assert secret not in log


@pytest.mark.parametrize(
    ("mechanisms", "lines"),
    [
        ("PLAIN", [f"AUTH PLAIN {PLAIN}"]),
        ("CRAM-MD5 LOGIN PLAIN", [f"AUTH PLAIN {PLAIN}"]),
        ("LOGIN", ["AUTH LOGIN", NAME, SECRET]),
    ],
    ids=["plain", "the best of several", "login"],
)
def test_what_is_said(start, scripted_servers, mechanisms, lines):
    (server,) = scripted_servers(**offering(mechanisms))
    evenpost = start(server)
    send_one(evenpost.port)
    assert spoken(server)[: len(lines) + 1] == ["EHLO evenpost.test", *lines]
    assert spoken(server)[len(lines) + 1].startswith("MAIL FROM")
    assert_no_secret(evenpost)


def test_asked_for_more(start, scripted_servers):
    (server,) = scripted_servers(**offering("PLAIN"))
    server.on("auth", "334 ", "235 2.7.0 welcome")
    evenpost = start(server)
    send_one(evenpost.port)
    assert spoken(server)[1:3] == [f"AUTH PLAIN {PLAIN}", "*"]


def test_once_a_connection(start, scripted_servers):
    (server,) = scripted_servers(**offering("PLAIN"))
    evenpost = start(server)
    send_one(evenpost.port)
    send_one(evenpost.port)
    assert len(logins(server)) <= 2
    wait_until(lambda: len(server.accepted()) == 2, "two messages")


def test_behind_xclient(start, scripted_servers):
    attributes = "XCLIENT NAME ADDR PORT PROTO HELO LOGIN"
    (server,) = scripted_servers(extensions=(*EXTENSIONS, attributes, "AUTH PLAIN"))
    evenpost = start(server, identity="xclient")
    send_one(evenpost.port)
    verbs = [line.split()[0] for line in spoken(server)]
    assert verbs.index("AUTH") > max(n for n, v in enumerate(verbs) if v == "XCLIENT")
    assert verbs[verbs.index("AUTH") - 1] == "EHLO"


def test_refused(start, scripted_servers):
    bad, good = scripted_servers(2, **offering("PLAIN"))
    bad.on("auth", REFUSAL)
    evenpost = start(bad, good)
    for _ in range(4):
        send_one(evenpost.port)
    wait_until(lambda: len(good.accepted()) == 4, "four messages")
    assert not bad.messages
    assert fault(evenpost) == (
        f"s1 does not take the login of {USER}: set auth.username and the password in "
        "auth.password-file right (535 5.7.8)"
    )
    assert len(logins(bad)) == 1  # it is not asked again
    assert_no_secret(evenpost)


def test_servers_that_refuse_are_passed_over(start, scripted_servers):
    """They are no attempts either: all messages find the one that takes the login."""
    *bad, good = scripted_servers(4, **offering("PLAIN"))
    for server in bad:
        server.on("auth", REFUSAL)
    evenpost = start(*bad, good, retry={"attempts": 3})
    for _ in range(12):
        send_one(evenpost.port)
    assert evenpost.messages()["s4"] == 12
    assert [len(logins(server)) for server in bad] == [1, 1, 1]


def test_gone_at_the_login(start, scripted_servers):
    (server,) = scripted_servers(**offering("PLAIN"))
    server.on("auth", DROP)
    evenpost = start(server)
    send_one(evenpost.port, expected=451)
    assert fault(evenpost).endswith("password-file right (connection lost)")


def test_a_server_that_repeats_what_it_hears(start, scripted_servers):
    (server,) = scripted_servers(**offering("PLAIN"))
    server.on("auth", lambda connection: f"535 5.7.8 what? {connection.commands[-1]}")
    evenpost = start(server)
    send_one(evenpost.port, expected=451)
    assert fault(evenpost).endswith("right (535 5.7.8)")
    assert_no_secret(evenpost)


def test_refused_by_all(start, scripted_servers):
    (server,) = scripted_servers(**offering("PLAIN"))
    server.on("auth", REFUSAL)
    evenpost = start(server)
    send_one(evenpost.port, expected=451)
    assert evenpost.wait_event("reject")[0]["reply"].startswith("451")
    assert not server.messages


@pytest.mark.parametrize("reply", ["454 4.7.0 not now", "421 4.3.2 going down"])
def test_a_passing_refusal_is_no_fault(start, scripted_servers, reply):
    bad, good = scripted_servers(2, **offering("PLAIN"))
    bad.on("auth", reply)
    evenpost = start(bad, good)
    for _ in range(2):
        send_one(evenpost.port)
    wait_until(lambda: len(good.accepted()) == 2, "two messages")
    evenpost.stop()  # whose log is whole then
    assert not evenpost.log_events("fault")


@pytest.mark.parametrize("mechanisms", ["CRAM-MD5", None])
def test_not_offered(start, scripted_servers, mechanisms):
    offer = offering(mechanisms) if mechanisms else {}
    bad, good = *scripted_servers(**offer), *scripted_servers(**offering("LOGIN"))
    evenpost = start(bad, good)
    for _ in range(2):
        send_one(evenpost.port)
    assert not bad.messages
    assert fault(evenpost).startswith(
        "s1 does not offer AUTH PLAIN or LOGIN to 127.0.0.1: let it offer them to us"
    )


def test_a_new_password(start, scripted_servers, password):
    (server,) = scripted_servers(**offering("PLAIN"))
    server.on("auth", REFUSAL)
    evenpost = start(server)
    send_one(evenpost.port, expected=451)
    password[1]("battery staple")
    evenpost.wait_event("tls", why="certificates and passwords taken over")
    server.on("auth", "235 2.7.0 welcome")
    send_one(evenpost.port)
    again = base64.b64encode(f"\0{USER}\0battery staple".encode()).decode()
    assert f"AUTH PLAIN {again}" in server.commands()
    wait_until(
        lambda: [e for e in evenpost.log_events("fault") if e["why"] == "mended"],
        "the end of the fault",
    )


@pytest.mark.parametrize("late", [REFUSAL, DROP], ids=["refused", "dropped"])
def test_an_old_password_that_is_answered_late(start, scripted_servers, password, late):
    """There is a new one meanwhile: the answer says nothing of the server any more."""
    (server,) = scripted_servers(**offering("PLAIN"))
    release = threading.Event()
    server.on("auth", Wait(release, late), "235 2.7.0 welcome")
    evenpost = start(server, workers=1, health={"probe": "none"})
    with RawClient(evenpost.port) as client:
        client.hello()
        client.command("MAIL FROM:<ann@a.example>", 250)
        client.send(b"RCPT TO:<bob@b.example>\r\n")
        server.wait_for(logins, "the old password to be said")
        password[1]("battery staple")
        evenpost.wait_event("tls", why="certificates and passwords taken over")
        send_one(evenpost.port)
        assert len(set(logins(server))) == 2
        release.set()
        client.expect("451 4.3.2")
    evenpost.wait_event("reject")
    assert evenpost.pools()["hubs"]["s1"]["fault"] is None
    assert evenpost.get("/readyz")[0] == 200


def refused(evenpost):
    return json.loads(evenpost.get("/api/v1/status")[1])["refused_files"]


def test_a_bad_password_keeps_the_old_one(start, scripted_servers, password):
    """And no word of the file is shown, in the log or elsewhere."""
    (server,) = scripted_servers(**offering("PLAIN"))
    evenpost = start(server)
    password[1]("battery\0staple")
    evenpost.wait_event("tls", level="error")
    assert refused(evenpost) == [
        {
            "file": str(password[0]),
            "path": "pools.hubs.auth.password-file",
            "why": "no password has a NUL in it",
        }
    ]
    send_one(evenpost.port)
    assert f"AUTH PLAIN {PLAIN}" in server.commands()
    assert "battery" not in evenpost.program.log()
    password[1](PASSWORD)
    evenpost.wait_event("tls", level="info")
    assert refused(evenpost) == []


def test_a_bad_password_holds_up_no_certificate(
    evenpost_before, scripted_servers, password, scratch
):
    """Both are renewed at once."""
    (server,) = scripted_servers(**offering("PLAIN"))
    server.users = {USER: PASSWORD}
    authority = Authority(scratch)
    pair, fresh = (authority.issue("mx.example", file=name) for name in ("mx", "fresh"))
    evenpost = evenpost_before(
        server,
        pool={"auth": {"username": USER, "password-file": str(password[0])}},
        listener={"tls": "offer"},
        tls={"certificates": [pair.as_setting()]},
    )
    password[1]("")
    for target, source in ((pair.key, fresh.key), (pair.certificate, fresh.certificate)):
        source.replace(target)
    evenpost.program.signal(signal.SIGHUP)
    evenpost.wait_event("tls", why="certificates and passwords taken over")
    assert [file["path"] for file in refused(evenpost)] == [
        "pools.hubs.auth.password-file"
    ]
    good = ssl.PEM_cert_to_DER_cert(pair.certificate.read_text())

    def is_shown():
        with come(evenpost.port, "starttls") as client:
            return client.socket.getpeercert(True) == good

    wait_until(is_shown, "the new certificate")
    send_one(evenpost.port)
    assert f"AUTH PLAIN {PLAIN}" in server.commands()


def test_a_password_that_all_can_read(start, scripted_servers, password):
    password[0].chmod(0o644)
    evenpost = start(*scripted_servers(**offering("PLAIN")))
    (line,) = evenpost.wait_event("tls", level="warning")
    assert line["why"].endswith("every user of this machine can read or write it")
