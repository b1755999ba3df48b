"""Whom a rate counts: addresses, of IPv6 a /64, and users (config listeners.*-rate).

Rates are of an hour: nothing comes back while a test lasts. What a client hears that is
over a rate, and when, is in rates.smtp.
"""

import base64
import hmac

import pytest

from harness.pki import Authority
from harness.proxy_header import version_1
from harness.raw_client import RawClient
from harness.scripted_server import EXTENSIONS
from harness.tls_client import TlsClient, client_context

_PASSWORD = "s3cret"
_USERS = dict.fromkeys(("ann", "ANN", "bob"), _PASSWORD)

_CONNECTIONS = "421 4.7.0 Your address connects too often"
_MESSAGES, _RECIPIENTS = "450 4.7.1 Too many messages", "450 4.7.1 Too many recipients"


def encode(text):
    return base64.b64encode(text.encode()).decode()


def plain(user):
    return encode(f"\0{user}\0{_PASSWORD}")


def log_in(client, user, mechanism="PLAIN"):
    if mechanism == "PLAIN":
        client.command(f"AUTH PLAIN {plain(user)}", 235)
        return
    if mechanism == "OAUTHBEARER":
        shown = encode(f"n,a={user},\1auth=Bearer {_PASSWORD}\1\1")
        client.command(f"AUTH OAUTHBEARER {shown}", 235)
        return
    challenge = base64.b64decode(client.command("AUTH CRAM-MD5", 334).text)
    digest = hmac.new(_PASSWORD.encode(), challenge, "md5").hexdigest()
    client.command(encode(f"{user} {digest}"), 235)


def come(evenpost, header=b"", user=None, mechanism="PLAIN", source=None):
    """A client, from where or as whom."""
    client = RawClient(evenpost.port, source=source)
    client.send(header)
    client.hello()
    if user:
        log_in(client, user, mechanism)
    return client


def say_mail(client, expected=250):
    """A message that is given up at once, or what is said instead."""
    client.command("MAIL FROM:<ann@a.example>", expected)
    client.command("RSET", 250)


def say_recipient(client, expected=250):
    client.command("MAIL FROM:<ann@a.example>", 250)
    client.command("RCPT TO:<bob@b.example>", expected)
    client.command("RSET", 250)


# key, what is done once, and what one hears for whom it is too often
_OF_CLIENTS = [
    ("message-rate", say_mail, f"{_MESSAGES} from your address"),
    ("recipient-rate", say_recipient, f"{_RECIPIENTS} from your address"),
]
_MECHANISMS = "AUTH PLAIN CRAM-MD5 OAUTHBEARER"
_OF_USERS = [
    ("user-message-rate", say_mail, f"{_MESSAGES} under your login"),
    ("user-recipient-rate", say_recipient, f"{_RECIPIENTS} under your login"),
]


@pytest.fixture
def evenpost_that_counts(evenpost_before, scripted_servers):
    """Before a server that takes mail and logins, with these keys of its listener."""

    def start(pool=None, top=None, **keys):
        (server,) = scripted_servers(1, extensions=(*EXTENSIONS, _MECHANISMS))
        server.users = _USERS
        return evenpost_before(server, listener=keys, pool=pool, **(top or {}))

    return start


@pytest.fixture
def evenpost_with_logins(evenpost_that_counts):
    def start(**keys):
        return evenpost_that_counts(auth="relay-insecure", **keys)

    return start


def rejects(evenpost):
    status, text = evenpost.get("/metrics")
    assert status == 200
    start = b'evenpost_rejects_total{listener="inbound",reason="rate"} '
    (line,) = [line for line in text.splitlines() if line.startswith(start)]
    return int(line[len(start) :])


@pytest.mark.parametrize("mode", ["message", "connection"])
def test_connections_of_an_address(evenpost_that_counts, mode):
    evenpost = evenpost_that_counts(mode=mode, **{"connection-rate": "2/h"})
    for _ in range(2):
        with come(evenpost) as client:
            client.command("QUIT", 221)
    with RawClient(evenpost.port) as client:
        client.expect(_CONNECTIONS)
        assert client.read_to_end() == b""
    with come(evenpost, source="127.0.0.2") as client:
        client.command("QUIT", 221)
    (line,) = evenpost.wait_event("reject")
    assert (line["phase"], line["reason"], line["client"]) == ("connect", "rate", "127.0.0.1")
    assert rejects(evenpost) == 1


def test_nothing_is_said_where_servers_do_not_greet(evenpost_that_counts):
    evenpost = evenpost_that_counts(
        mode="connection",
        pool={"greets": False, "health": {"probe": "none"}},
        **{"connection-rate": "1/h"},
    )
    with RawClient(evenpost.port) as client:
        client.expect(220)
    with RawClient(evenpost.port) as client:
        assert client.read_to_end() == b""
    evenpost.wait_event("reject", phase="connect", reason="rate")


@pytest.mark.parametrize("mode", ["message", "connection"])
def test_no_handshake_for_one_too_many(evenpost_that_counts, scratch, mode):
    """It is refused in clear, before anything is spent on it."""
    authority = Authority(scratch)
    certificate = authority.issue("mx.example").as_setting()
    evenpost = evenpost_that_counts(
        mode=mode,
        tls="implicit",
        top={"tls": {"certificates": [certificate]}},
        **{"connection-rate": "1/h"},
    )
    with TlsClient(evenpost.port) as client:
        client.start_tls(client_context(authority))
        client.hello()
    with RawClient(evenpost.port) as client:
        client.expect(_CONNECTIONS)
        assert client.read_to_end() == b""


def test_connections_that_are_refused_for_their_number(evenpost_that_counts):
    """They do not use up the rate."""
    evenpost = evenpost_that_counts(
        **{"connection-rate": "2/h", "max-connections-per-client": 1}
    )
    with come(evenpost) as client:
        for _ in range(3):
            with RawClient(evenpost.port) as other:
                other.expect("421 4.7.0 Too many connections")
        client.command("QUIT", 221)
    evenpost.wait_event("session")
    come(evenpost).close()


@pytest.mark.parametrize("key, act, refusal", _OF_CLIENTS)
def test_addresses_count_apart(evenpost_that_counts, key, act, refusal):
    """Each over all of its sessions."""
    evenpost = evenpost_that_counts(**{key: "2/h"})
    for expected in (250, 250, refusal):
        with come(evenpost) as client:
            act(client, expected)
    with come(evenpost, source="127.0.0.2") as client:
        for expected in (250, 250, refusal):
            act(client, expected)
    lines = evenpost.wait_event("reject", 2, reason="rate")
    assert {line["client"] for line in lines} == {"127.0.0.1", "127.0.0.2"}
    assert rejects(evenpost) == 2


@pytest.mark.parametrize("key, act, refusal", _OF_CLIENTS)
def test_an_ipv6_client_has_a_64(evenpost_that_counts, key, act, refusal):
    """And is who the PROXY header says."""
    evenpost = evenpost_that_counts(**{key: "1/h", "accept-proxy": "127.0.0.1"})
    for address, expected in (
        ("2001:db8:0:1::1", 250),
        ("2001:db8:0:1:ffff::2", refusal),
        ("2001:db8:0:2::1", 250),
        ("192.0.2.1", 250),
        ("192.0.2.2", 250),
        ("192.0.2.1", refusal),
    ):
        to = "2001:db8::25" if ":" in address else "192.0.2.25"
        with come(evenpost, version_1((address, 4711), (to, 25))) as client:
            act(client, expected)


def test_connections_of_a_64(evenpost_that_counts):
    evenpost = evenpost_that_counts(
        **{"connection-rate": "1/h", "accept-proxy": "127.0.0.1"}
    )
    for address, greeting in (
        ("2001:db8:0:1::1", 220),
        ("2001:db8:0:1:ffff::2", _CONNECTIONS),
        ("2001:db8:0:2::1", 220),
    ):
        with RawClient(evenpost.port) as client:
            client.send(version_1((address, 4711), ("2001:db8::25", 25)))
            client.expect(greeting)


@pytest.mark.parametrize("key, act, refusal", _OF_USERS)
def test_users_count_over_all_addresses(evenpost_with_logins, key, act, refusal):
    """In either case; others at the same address have their own."""
    evenpost = evenpost_with_logins(**{key: "2/h"})
    for user, source, expected in (
        ("ann", "127.0.0.1", 250),
        ("ANN", "127.0.0.2", 250),
        ("ann", "127.0.0.3", refusal),
        ("ANN", "127.0.0.1", refusal),
        ("bob", "127.0.0.1", 250),
    ):
        with come(evenpost, user=user, source=source) as client:
            act(client, expected)
    lines = evenpost.wait_event("reject", 2, reason="rate")
    assert {line["user"] for line in lines} == {"ann", "ANN"}
    assert rejects(evenpost) == 2


@pytest.mark.parametrize("key, act", [row[:2] for row in _OF_USERS])
def test_who_has_not_logged_in_is_no_user(evenpost_with_logins, key, act):
    evenpost = evenpost_with_logins(**{key: "1/h"})
    with come(evenpost) as client:
        for _ in range(3):
            act(client)


@pytest.mark.parametrize("mechanism", ["CRAM-MD5", "OAUTHBEARER"])
@pytest.mark.parametrize("key, act, refusal", _OF_USERS)
def test_logins_without_a_name(evenpost_with_logins, key, act, refusal, mechanism):
    """No mechanism is a way round, nor to somebody else's: who does not prove to us who it
    is counts by its address. Beside a token any name can be said."""
    evenpost = evenpost_with_logins(**{key: "1/h"})
    for user, source, expected in (
        ("ann", "127.0.0.1", 250),
        ("bob", "127.0.0.1", refusal),
        ("bob", "127.0.0.2", 250),
    ):
        with come(evenpost, user=user, mechanism=mechanism, source=source) as client:
            act(client, expected)
    with come(evenpost, user="ann") as client:
        act(client)


def test_what_one_rate_refuses_does_not_count_for_the_other(evenpost_with_logins):
    evenpost = evenpost_with_logins(**{"message-rate": "2/h", "user-message-rate": "3/h"})
    of_address, of_user = (row[2] for row in (_OF_CLIENTS[0], _OF_USERS[0]))
    with come(evenpost, user="ann") as client:
        for expected in (250, 250, of_address, of_address):
            say_mail(client, expected)
    with come(evenpost, user="ann", source="127.0.0.2") as client:
        for expected in (250, of_user, of_user):
            say_mail(client, expected)
    with come(evenpost, source="127.0.0.2") as client:
        for expected in (250, of_address):
            say_mail(client, expected)
