"""Logins: of clients, which two Postfix check by asking Dovecot; and evenpost's own."""

import base64
import hashlib
import hmac
import json
import smtplib
import ssl

import pytest

from clients import HERE, run_client, send_by_swaks, to_lines
from harness.authenticating import USERS, Authenticator, AuthenticatingPostfix
from harness.evenpost import Evenpost, configure_pool
from harness.mail import body_of, dot_stuffed, make_message
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
        wait_until(lambda: len(server.logins()) > before, "the login in the log")
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
        assert line["why"].startswith("hub1 does not take the login of bob: ")
        assert line["why"].endswith("(535 5.7.8)")
        assert "wrong" not in evenpost.program.log()
    finally:
        evenpost.stop()


# Clients' logins.


def before_both(scratch, name, postfixes, authority, **pool):
    """An evenpost that relays the logins of clients to two Postfix."""
    servers = {server.name: server.address for server in postfixes}
    pair = authority.issue("localhost", file=f"{name}-clients")
    return Evenpost(
        scratch,
        {"both": configure_pool(servers, **verified(authority), **pool)},
        {"submission": {"tls": "offer", "auth": "relay", "auth-failures": "off"}},
        name=name,
        tls={"certificates": [pair.as_setting()]},
    ).start()


@pytest.fixture(scope="module")
def evenpost(postfixes, session_scratch, authority):
    made = before_both(session_scratch, "auth", postfixes, authority)
    yield made
    made.stop()


@pytest.fixture(scope="module")
def strict_evenpost(strict_postfix, session_scratch, authority):
    pair = authority.issue("localhost", file="strict-clients")
    made = Evenpost(
        session_scratch,
        {
            "strict": configure_pool(
                {"strict": strict_postfix.address}, **verified(authority)
            )
        },
        {"submission": {"tls": "offer", "auth": "relay"}},
        name="strict-auth",
        tls={"certificates": [pair.as_setting()]},
    )
    yield made.start()
    made.stop()


def by_smtplib(port, authority, password, mechanism, message):
    context = ssl.create_default_context(cafile=authority.file)
    with smtplib.SMTP("localhost", port, timeout=_LIMIT) as client:
        client.starttls(context=context)
        client.ehlo()
        client.user, client.password = "ann", password
        method = getattr(client, f"auth_{mechanism.lower().replace('-', '_')}")
        client.auth(mechanism, method)
        client.sendmail("ann@a.example", ["bob@b.example"], message)


def by_swaks(port, authority, password, mechanism, message):
    run_client(
        ["swaks", "--server=localhost", f"--port={port}", "--from=ann@a.example"]
        + ["--to=bob@b.example", "--data=-", "--no-data-fixup", "--suppress-data"]
        + ["--tls", "--tls-verify", f"--tls-ca-path={authority.file}"]
        + [f"--auth={mechanism}", "--auth-user=ann", f"--auth-password={password}"],
        dot_stuffed(message).removesuffix(b"\r\n"),
    )


def by_curl(port, authority, password, mechanism, message):
    run_client(
        ["curl", "--silent", "--show-error", "--ssl-reqd", "--cacert", authority.file]
        + ["--mail-from", "ann@a.example", "--mail-rcpt", "bob@b.example"]
        + ["--user", f"ann:{password}", "--login-options", f"AUTH={mechanism}"]
        + ["--upload-file", "-", f"smtp://localhost:{port}/client.example"],
        message,
    )


def by_msmtp(port, authority, password, mechanism, message):
    run_client(
        ["msmtp", "--file=/dev/null", "--host=localhost", f"--port={port}"]
        + ["--from=ann@a.example", "--set-date-header=off", "--set-from-header=off"]
        + ["--tls=on", "--tls-starttls=on", f"--tls-trust-file={authority.file}"]
        + [f"--auth={mechanism.lower()}", "--user=ann"]
        + [f"--passwordeval=echo '{password}'", "--", "bob@b.example"],
        to_lines(message),
    )


def by_nodemailer(port, authority, password, mechanism, message):
    envelope = json.dumps({"from": "ann@a.example", "to": ["bob@b.example"]})
    auth = json.dumps({"user": "ann", "pass": password, "method": mechanism})
    run_client(
        ["node", HERE / "nodemailer_send.js", port, envelope, "starttls"]
        + [authority.file, auth],
        message,
    )


_CLIENTS = {
    "smtplib": by_smtplib,
    "swaks": by_swaks,
    "curl": by_curl,
    "msmtp": by_msmtp,
    "nodemailer": by_nodemailer,
}


def logins_since(server, before, count):
    """What has come to the log behind so many, once it is so many more."""
    wait_until(
        lambda: len(server.logins()) >= before + count, f"{count} logins in the log"
    )
    return server.logins()[before:]


def logins(servers):
    return [login for server in servers for login in server.logins()]


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5"])
@pytest.mark.parametrize("client", _CLIENTS)
def test_clients_log_in(evenpost, postfixes, authority, client, mechanism):
    number = f"auth-{client}-{mechanism}"
    message = make_message(number, _BODY)
    before = logins(postfixes).count((mechanism, "ann"))
    _CLIENTS[client](evenpost.port, authority, USERS["ann"], mechanism, message)
    (stored,) = wait_until(
        lambda: [m for server in postfixes for m in server.mail.numbered(number)],
        "the message",
    )
    assert stored.body == body_of(message)
    wait_until(
        lambda: logins(postfixes).count((mechanism, "ann")) == before + 1,
        "the login in the log",
    )


def send_ten(port, authority, mechanism, title):
    """Ten messages of one session."""
    context = ssl.create_default_context(cafile=authority.file)
    with smtplib.SMTP("localhost", port, timeout=_LIMIT) as client:
        client.starttls(context=context)
        client.ehlo()
        client.user, client.password = "ann", USERS["ann"]
        client.auth(mechanism, getattr(client, f"auth_{mechanism.lower()}"))
        for number in range(10):
            message = make_message(f"{title}-{number}", _BODY)
            client.sendmail("ann@a.example", ["bob@b.example"], message)


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_one_session_is_shared_evenly(evenpost, postfixes, authority, mechanism):
    before = [len(server.logins()) for server in postfixes]
    send_ten(evenpost.port, authority, mechanism, f"even-{mechanism}")
    for server, old in zip(postfixes, before):
        assert logins_since(server, old, 5) == [(mechanism, "ann")] * 5


@pytest.mark.parametrize(("repeated", "method"), [("auth", "PLAIN"), ("xclient", "XCLIENT")])
def test_the_other_server_is_told(scratch, postfixes, authority, repeated, method):
    """repeat-login: Postfix takes AUTH behind XCLIENT, and LOGIN by it."""
    before = [len(server.logins()) for server in postfixes]
    evenpost = before_both(
        scratch,
        "told",
        postfixes,
        authority,
        identity="xclient",
        **{"repeat-login": repeated},
    )
    try:
        send_ten(evenpost.port, authority, "PLAIN", "told")
    finally:
        evenpost.stop()
    seen = [logins_since(server, old, 5) for server, old in zip(postfixes, before)]
    assert sorted(seen) == sorted([[("PLAIN", "ann")] * 5, [(method, "ann")] * 5])


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5"])
def test_a_wrong_password_is_refused_in_the_servers_words(
    evenpost, authority, mechanism
):
    with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
        by_smtplib(evenpost.port, authority, "wrong", mechanism, b"")
    assert refused.value.smtp_code == 535
    assert refused.value.smtp_error.startswith(b"5.7.8 Error: authentication failed")


def test_auth_is_not_offered_in_clear(evenpost):
    with RawClient(evenpost.port) as client:
        assert "AUTH" not in client.hello()
        client.command(f"AUTH PLAIN {plain('ann', USERS['ann'])}", 538)


def test_who_has_not_logged_in_is_the_servers_to_refuse(evenpost):
    with RawClient(evenpost.port) as client:
        client.hello()
        client.command("MAIL FROM:<ann@a.example>", 250)
        client.command("RCPT TO:<bob@b.example>", 554)


def test_servers_that_offer_it_in_tls_alone(strict_evenpost, strict_postfix, authority):
    message = make_message("auth-strict", _BODY)
    by_smtplib(strict_evenpost.port, authority, USERS["ann"], "PLAIN", message)
    wait_until(lambda: strict_postfix.mail.numbered("auth-strict"), "the message")
    wait_until(
        lambda: ("PLAIN", "ann") in strict_postfix.logins(), "the login in the log"
    )


def test_the_log_has_the_user_and_no_secret(evenpost, authority):
    message = make_message("auth-log", _BODY)
    by_smtplib(evenpost.port, authority, USERS["ann"], "PLAIN", message)
    lines = evenpost.wait_event("message", user="ann")
    assert lines
    log = evenpost.program.log()
    for secret in (USERS["ann"], plain("ann", USERS["ann"])):
        assert secret not in log


def test_users_have_servers_of_their_own(scratch, postfixes, farm, authority):
    """One listener: the mail of those who log in goes to Postfix, all other to Exim, which
    has no AUTH."""
    exim = farm.servers["exim"]
    pair = authority.issue("localhost", file="routes-clients")
    evenpost = Evenpost(
        scratch,
        {
            "submission": configure_pool(
                {server.name: server.address for server in postfixes},
                **verified(authority),
            ),
            "hubs": configure_pool({"exim": exim.address}),
        },
        {
            "mail": {
                "tls": "offer",
                "auth": "relay",
                "routes": [{"user": "*", "pool": "submission"}, {"pool": "hubs"}],
            }
        },
        tls={"certificates": [pair.as_setting()]},
    ).start()
    users, others = make_message("route-user", _BODY), make_message("route-other", _BODY)
    try:
        by_swaks(evenpost.port, authority, USERS["ann"], "PLAIN", users)
        send_by_swaks(evenpost.port, "x@a.example", ["y@b.example"], others)
    finally:
        evenpost.stop()
    wait_until(
        lambda: [m for server in postfixes for m in server.mail.numbered("route-user")],
        "the user's message",
    )
    (stored,) = wait_until(lambda: exim.mail.numbered("route-other"), "the other message")
    assert stored.body == body_of(others)
    assert not exim.mail.numbered("route-user")
