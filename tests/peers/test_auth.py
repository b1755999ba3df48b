"""Logins that Postfix checks by asking Dovecot: evenpost's own."""

import base64
import hashlib
import hmac
import smtplib

import pytest

from harness.authenticating import USERS, Authenticator, AuthenticatingPostfix
from harness.evenpost import Evenpost, configure_pool
from harness.mail import body_of, make_message
from harness.pki import Authority
from harness.raw_client import RawClient
from harness.waiting import wait_until

_LIMIT = 60
_NAME = "submission.test"
_BODY = b"a\r\n.\r\nb\r\n"


@pytest.fixture(scope="module")
def authority(session_scratch):
    return Authority(session_scratch, "auth-authority")


@pytest.fixture(scope="module")
def authenticator(peers, session_scratch):
    made = Authenticator(session_scratch, "authenticator")
    yield made.start()
    made.stop()


@pytest.fixture(scope="module")
def postfixes(authenticator, session_scratch, authority):
    """Two with one certificate, which offer AUTH in clear too."""
    pair = authority.issue(_NAME)
    made = [
        AuthenticatingPostfix(session_scratch, name, authenticator.port, pair)
        for name in ("submission1", "submission2")
    ]
    for server in made:
        server.start()
    yield made
    for server in made:
        server.stop()


@pytest.fixture(scope="module")
def strict_postfix(authenticator, session_scratch, authority):
    """Offers AUTH in TLS alone."""
    made = AuthenticatingPostfix(
        session_scratch,
        "strict",
        authenticator.port,
        authority.issue(_NAME, file="strict"),
        tls_only=True,
    )
    yield made.start()
    made.stop()


def verified(authority):
    return {"tls": "verify", "tls-ca": str(authority.file), "tls-name": _NAME}


# What the fixtures are, without evenpost.


def plain(user, password):
    return base64.b64encode(f"\0{user}\0{password}".encode()).decode()


def test_postfix_offers_what_dovecot_has(postfixes):
    for server in postfixes:
        with RawClient(server.port) as client:
            assert client.hello()["AUTH"].split() == ["PLAIN", "LOGIN", "CRAM-MD5"]


def test_strict_postfix_offers_nothing_in_clear(strict_postfix):
    with RawClient(strict_postfix.port) as client:
        assert "AUTH" not in client.hello()


@pytest.mark.parametrize("user", USERS)
def test_users_log_in(postfixes, user):
    with RawClient(postfixes[0].port) as client:
        client.hello()
        client.command(f"AUTH PLAIN {plain(user, USERS[user])}", "235 2.7.0")
    with RawClient(postfixes[1].port) as client:
        client.hello()
        challenge = client.command("AUTH CRAM-MD5", 334).text
        digest = hmac.new(
            USERS[user].encode(), base64.b64decode(challenge), hashlib.md5
        ).hexdigest()
        client.command(base64.b64encode(f"{user} {digest}".encode()).decode(), 235)


def test_others_do_not(postfixes):
    with RawClient(postfixes[0].port) as client:
        client.hello()
        client.command(f"AUTH PLAIN {plain('ann', 'wrong')}", "535 5.7.8")
        client.command("MAIL FROM:<ann@a.example>", 250)
        client.command("RCPT TO:<bob@b.example>", 554)


# evenpost's own login.


@pytest.fixture
def smart_hosts(postfixes, strict_postfix):
    return {"in clear": postfixes[0], "in TLS": strict_postfix}


def log_in_from(scratch, server, password, **pool):
    """An evenpost that logs in at a server."""
    file = scratch / "password"
    file.write_text(f"{password}\n")
    file.chmod(0o600)
    auth = {"username": "bob", "password-file": str(file)}
    return Evenpost(
        scratch, {"smart": configure_pool({"hub1": server.address}, auth=auth, **pool)}
    ).start()


@pytest.mark.parametrize("where", ["in clear", "in TLS"])
def test_smart_host(scratch, smart_hosts, authority, where):
    server = smart_hosts[where]
    evenpost = log_in_from(
        scratch, server, USERS["bob"], **(verified(authority) if where == "in TLS" else {})
    )
    number = f"smart-{where}"
    before = len(server.logins())
    try:
        with smtplib.SMTP("127.0.0.1", evenpost.port, timeout=_LIMIT) as client:
            client.sendmail("x@a.example", ["y@b.example"], make_message(number, _BODY))
        (stored,) = wait_until(lambda: server.mail.numbered(number), "the message")
        assert stored.body == body_of(make_message(number, _BODY))
        assert server.logins()[before:] == [("PLAIN", "bob")]
    finally:
        evenpost.stop()


def test_smart_host_refuses(scratch, postfixes):
    evenpost = log_in_from(scratch, postfixes[0], "wrong")
    try:
        with RawClient(evenpost.port) as client:
            client.hello()
            client.command("MAIL FROM:<x@a.example>", 250)
            client.command("RCPT TO:<y@b.example>", 451)
        (line,) = evenpost.wait_event("fault")
        assert line["why"].startswith("hub1 refuses the login of bob: ")
        assert "535 5.7.8 Error: authentication failed" in line["why"]
        assert "wrong" not in evenpost.program.log()
    finally:
        evenpost.stop()
