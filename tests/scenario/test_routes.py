"""routes: which pool the mail of a client goes to, by who the client is (config.md)."""

import pytest

from harness.evenpost import Evenpost, configure_pool
from harness.proxy_header import version_1
from harness.raw_client import RawClient, send_one
from harness.scripted_server import EXTENSIONS, LOGIN_FAILED
from harness.tls_client import TlsClient
from encryption import NAME
from logins import PASSWORD, USER, encode, log_in, log_in_with_cram

_CLEAR = {"auth": "relay-insecure"}
_NO_ROUTE = "550 5.7.1 No route for mail from you"


@pytest.fixture
def routed(scratch):
    """Starts an evenpost with these routes; pools: {name: server, or several}.

    Other keys are the listener's. pool_keys: of every pool; pools_of: of some, {name:
    keys}; top: of the top level.
    """
    started = []

    def start(
        routes, pools, pool_keys=None, *, pools_of=None, top=None, ready=True, **listener
    ):
        evenpost = Evenpost(
            scratch,
            {
                name: configure_pool(
                    {f"{name}{n}": server.address for n, server in enumerate(servers, 1)},
                    **{**(pool_keys or {}), **(pools_of or {}).get(name, {})},
                )
                for name, servers in pools.items()
            },
            {"inbound": {"routes": routes, **listener}},
            **(top or {}),
        )
        started.append(evenpost)
        return evenpost.start(ready)

    yield start
    for evenpost in started:
        evenpost.stop()


def senders_at(server):
    """The local parts."""
    return [message.sender[len("FROM:<") :].partition("@")[0] for message in server.messages]


# ---- clients ----


def test_by_address(routed, scripted_servers):
    """The first that matches; a list matches by any of its networks."""
    own, partners, rest = scripted_servers(3)
    evenpost = routed(
        [
            {"client": "127.0.0.2", "pool": "own"},
            {"client": ["127.0.0.2/31", "127.0.0.8/30"], "pool": "partners"},
            {"pool": "rest"},
        ],
        {"own": [own], "partners": [partners], "rest": [rest]},
    )
    for number in (2, 3, 9, 4, 2):
        send_one(evenpost.port, source=f"127.0.0.{number}")
    assert [len(server.messages) for server in (own, partners, rest)] == [2, 2, 1]
    lines = evenpost.wait_event("message", count=5)
    assert sorted((line["pool"], line["server"]) for line in lines) == [
        ("own", "own1"),
        ("own", "own1"),
        ("partners", "partners1"),
        ("partners", "partners1"),
        ("rest", "rest1"),
    ]
    assert evenpost.messages("partners") == {"partners1": 2}


def test_by_name(routed, scripted_servers):
    """As the last EHLO has it; patterns are case-blind."""
    partner, rest = scripted_servers(2)
    evenpost = routed(
        [{"helo": ["*.partner.example", "mx?.example"], "pool": "partner"}, {"pool": "rest"}],
        {"partner": [partner], "rest": [rest]},
    )
    with RawClient(evenpost.port) as client:
        client.hello("a.Partner.EXAMPLE")
        client.send_message(sender="1@a.example")
        client.say_hello("partner.example")
        client.send_message(sender="2@a.example")
        client.say_hello("mx7.example")
        client.send_message(sender="3@a.example")
        client.send_message(sender="4@a.example")
    assert senders_at(partner) == ["1", "3", "4"]
    assert senders_at(rest) == ["2"]


def test_all_conditions(routed, scripted_servers):
    partner, rest = scripted_servers(2)
    evenpost = routed(
        [{"client": "127.0.0.2", "helo": "mx.example", "pool": "partner"}, {"pool": "rest"}],
        {"partner": [partner], "rest": [rest]},
    )
    for source, name in (
        ("127.0.0.2", "mx.example"),
        ("127.0.0.1", "mx.example"),
        ("127.0.0.2", "other.example"),
    ):
        with RawClient(evenpost.port, source=source) as client:
            client.hello(name)
            client.send_message(sender=f"{name}-{source}@a.example")
    assert senders_at(partner) == ["mx.example-127.0.0.2"]
    assert len(rest.messages) == 2


def test_conveyed_address(routed, scripted_servers):
    """Behind a proxy the client is who the header says."""
    own, rest = scripted_servers(2)
    evenpost = routed(
        [{"client": "192.0.2.0/24", "pool": "own"}, {"pool": "rest"}],
        {"own": [own], "rest": [rest]},
        **{"accept-proxy": "127.0.0.1"},
    )
    for address in ("192.0.2.7", "198.51.100.7"):
        with RawClient(evenpost.port) as client:
            client.send(version_1((address, 4711)))
            client.hello()
            client.send_message()
    assert len(own.messages) == len(rest.messages) == 1


def test_pools_of_one_name_of_servers(routed, scripted_servers):
    """Shares are exact in each pool, and one pool's dead server is no other's matter."""
    servers = scripted_servers(4)
    evenpost = routed(
        [{"client": "127.0.0.2", "pool": "a"}, {"pool": "b"}],
        {"a": servers[:2], "b": servers[2:]},
    )
    servers[3].stop()
    evenpost.wait_state("b2", "down", pool="b")
    for number in (1, 2, 1, 2, 1, 2, 2):
        send_one(evenpost.port, source=f"127.0.0.{number}")
    assert [len(server.messages) for server in servers] == [2, 2, 3, 0]


# ---- nowhere ----


@pytest.mark.parametrize("pipelined", [False, True])
def test_no_route(routed, scripted_servers, pipelined):
    """550, for each recipient and for DATA; no server hears of it, and it is counted."""
    (server,) = scripted_servers(1)
    evenpost = routed([{"client": "127.0.0.2", "pool": "own"}], {"own": [server]})
    before = len(server.connections)
    lines = ["MAIL FROM:<a@a.example>", "RCPT TO:<b@b.example>", "RCPT TO:<c@b.example>", "DATA"]
    with RawClient(evenpost.port) as client:
        client.hello()
        replies = []
        if pipelined:
            client.send("".join(line + "\r\n" for line in lines).encode())
            replies = [client.read_reply().lines[0] for _ in lines]
        else:
            replies = [client.command(line).lines[0] for line in lines]
        assert replies == ["250 2.1.0 Ok", _NO_ROUTE, _NO_ROUTE, "554 5.5.1 No valid recipients"]
        client.command("QUIT", 221)
    rejects = evenpost.wait_event("reject", count=2, reason="route", phase="rcpt")
    assert [line["to"] for line in rejects] == ["b@b.example", "c@b.example"]
    assert b'evenpost_rejects_total{listener="inbound",reason="route"} 2' in evenpost.get(
        "/metrics"
    )[1]
    assert len([c for c in server.connections[before:] if "MAIL" in str(c.commands)]) == 0


def test_offers_within_reach(routed, scripted_servers):
    """EHLO offers what the client's own servers can do: others are no matter to it."""
    (able,) = scripted_servers(1)
    (plain,) = scripted_servers(1, extensions=("PIPELINING", "SIZE 1000"))
    evenpost = routed(
        [{"client": "127.0.0.2", "pool": "able"}, {"helo": "mx.example", "pool": "plain"},
         {"client": "127.0.0.3", "pool": "able"}],
        {"able": [able], "plain": [plain]},
    )
    offered = {}
    for source, name in (("127.0.0.2", "mx.example"), ("127.0.0.3", "mx.example"),
                         ("127.0.0.3", "b.example"), ("127.0.0.4", "b.example")):
        with RawClient(evenpost.port, source=source) as client:
            offered[source, name] = client.hello(name)
    assert "SMTPUTF8" in offered["127.0.0.2", "mx.example"]
    assert "SMTPUTF8" not in offered["127.0.0.3", "mx.example"]
    assert offered["127.0.0.3", "mx.example"]["SIZE"] == "1000"
    assert "SMTPUTF8" in offered["127.0.0.3", "b.example"]
    assert "SMTPUTF8" not in offered["127.0.0.4", "b.example"]


def test_offers_before_a_login(routed, checking_servers, scripted_servers):
    """What it will have to do without when it has logged in is not offered before."""
    (submission,) = checking_servers(extensions=("PIPELINING", "SIZE 1000"))
    (hubs,) = scripted_servers(1)
    evenpost = routed(
        [{"user": "ann@*", "pool": "submission"}, {"pool": "hubs"}],
        {"submission": [submission], "hubs": [hubs]},
        **_CLEAR,
    )
    with RawClient(evenpost.port) as client:
        extensions = client.hello()
        assert "SMTPUTF8" not in extensions and extensions["SIZE"] == "1000"


def test_offers_of_the_bound_server(routed, checking_servers):
    """Who has logged in by a challenge stays at one server: EHLO offers what that can do,
    wherever the routes lead now."""
    (ours,) = checking_servers()
    (others,) = checking_servers(extensions=("PIPELINING", "SIZE 1000"))
    evenpost = routed(
        [{"helo": "x.example", "pool": "ours"}, {"user": "*", "pool": "others"}],
        {"ours": [ours], "others": [others]},
        **_CLEAR,
    )
    with RawClient(evenpost.port) as client:
        client.hello()
        assert log_in_with_cram(client).code == 235
        extensions = client.say_hello("x.example")
        assert "SMTPUTF8" not in extensions and extensions["SIZE"] == "1000"


def test_nothing_is_known_of_a_pool(routed, scripted_servers):
    """What its servers can do could be anything: nothing is promised."""
    able, away = scripted_servers(2)
    away.stop()
    evenpost = routed(
        [{"client": "127.0.0.2", "pool": "able"}, {"helo": "x.example", "pool": "able"},
         {"pool": "away"}],
        {"able": [able], "away": [away]},
    )
    evenpost.wait_state("away1", "down", pool="away")
    with RawClient(evenpost.port, source="127.0.0.2") as client:
        assert "SMTPUTF8" in client.hello()
    with RawClient(evenpost.port) as client:
        assert "SMTPUTF8" not in client.hello()
        assert "SMTPUTF8" in client.say_hello("x.example")


@pytest.mark.parametrize("unverified, offered", [("verify", True), ("require", False)])
def test_requiretls(routed, certificates, authority, tls_server, unverified, offered):
    """Is promised where all servers that the mail could go to are verified."""
    first, second = (
        tls_server("good", extensions=(*EXTENSIONS, "REQUIRETLS")) for _ in range(2)
    )
    evenpost = routed(
        [{"helo": "x.example", "pool": "a"}, {"pool": "b"}],
        {"a": [first], "b": [second]},
        {"tls-ca": str(authority.file), "tls-name": NAME, "tls": "verify"},
        tls="offer",
        pools_of={"b": {"tls": unverified}},
        top={"tls": {"certificates": [certificates["good"].as_setting()]}},
    )
    with TlsClient(evenpost.port) as client:
        client.hello()
        client.starttls()
        assert ("REQUIRETLS" in client.say_hello()) == offered
        assert "REQUIRETLS" in client.say_hello("x.example")


# ---- users ----


def test_users_have_servers_of_their_own(routed, checking_servers, scripted_servers):
    """AUTH is offered though the servers of the others have none; it is checked where the
    user's mail goes, and mail without a login goes elsewhere."""
    (submission,) = checking_servers()
    (hubs,) = scripted_servers(1)
    evenpost = routed(
        [{"user": "*", "pool": "submission"}, {"pool": "hubs"}],
        {"submission": [submission], "hubs": [hubs]},
        **_CLEAR,
    )
    with RawClient(evenpost.port) as client:
        assert "PLAIN" in client.hello()["AUTH"].split()
        client.send_message(sender="1@a.example")
        log_in(client)
        client.send_message(sender="2@a.example")
        client.say_hello("other.example")
        client.send_message(sender="3@a.example")
    with RawClient(evenpost.port) as client:
        client.hello()
        client.send_message(sender="4@a.example")
    assert senders_at(hubs) == ["1", "4"]
    assert senders_at(submission) == ["2", "3"]
    assert {message.user for message in submission.messages} == {USER}
    assert not hubs.logins


def test_each_user_by_name(routed, checking_servers):
    ours, theirs = checking_servers(2)
    theirs.users = {"bob@b.example": "x"}
    evenpost = routed(
        [{"user": "*@A.example", "pool": "ours"}, {"user": ["bob@b.example"], "pool": "theirs"}],
        {"ours": [ours], "theirs": [theirs]},
        **_CLEAR,
    )
    for user, password in ((USER, PASSWORD), ("bob@b.example", "x")):
        with RawClient(evenpost.port) as client:
            client.hello()
            log_in(client, user, password)
            client.send_message(sender=user)
    assert senders_at(ours) == ["ann"] and senders_at(theirs) == ["bob"]
    assert [login.user for login in ours.logins] == [USER]
    assert [login.user for login in theirs.logins] == ["bob@b.example"]


def test_user_without_a_route(routed, checking_servers):
    """Is refused as one that a server does not know, and counted as that."""
    (server,) = checking_servers()
    server.users["eve@c.example"] = "x"
    evenpost = routed(
        [{"user": "*@a.example", "pool": "ours"}], {"ours": [server]}, **_CLEAR
    )
    with RawClient(evenpost.port) as client:
        client.hello()
        client.command("AUTH LOGIN", 334)
        client.command("ZXZlQGMuZXhhbXBsZQ==", 334)
        client.command("eA==", "535 5.7.8")
        client.command("MAIL FROM:<a@a.example>", 250)
        assert client.command("RCPT TO:<b@b.example>").lines == [_NO_ROUTE]
        client.command("RSET", 250)
        log_in(client)
        client.send_message()
    assert [login.user for login in server.logins] == [USER]
    (line,) = evenpost.wait_event("reject", reason="login")
    assert line["user"] == "eve@c.example"


def test_challenge_takes_the_route_of_all_users(routed, checking_servers):
    """CRAM-MD5 names nobody: only a route for all users is one for it, and its messages
    stay with the server of the login whatever the client calls itself later."""
    ours, others = checking_servers(2)
    evenpost = routed(
        [{"user": USER, "pool": "ours"}, {"helo": "x.example", "pool": "ours"},
         {"user": "*", "pool": "others"}],
        {"ours": [ours], "others": [others]},
        **_CLEAR,
    )
    with RawClient(evenpost.port) as client:
        client.hello()
        assert log_in_with_cram(client).code == 235
        client.send_message()
        client.say_hello("x.example")
        client.send_message()
    assert len(others.messages) == 2 and not ours.messages
    assert [line["pool"] for line in evenpost.wait_event("message", count=2)] == ["others"] * 2


def test_failed_login_is_the_pools_word(routed, checking_servers):
    ours, others = checking_servers(2)
    evenpost = routed(
        [{"user": "*@a.example", "pool": "ours"}, {"pool": "others"}],
        {"ours": [ours], "others": [others]},
        **_CLEAR,
    )
    others.users = {"zoe": "x"}
    with RawClient(evenpost.port) as client:
        client.hello()
        client.command("AUTH LOGIN", 334)
        client.command("YW5uQGEuZXhhbXBsZQ==", 334)
        assert client.command("eA==").lines == [LOGIN_FAILED]
        log_in(client, "zoe", "x")
        client.send_message()
    assert len(others.messages) == 1 and not ours.messages


def test_one_pools_refuser_is_no_other_pools(routed, checking_servers):
    """A server that does not take a login again is passed over, by its own name: those
    that stand at its place in another pool are asked."""
    ours, others = checking_servers(2), checking_servers(2)
    evenpost = routed(
        [{"helo": "other.example", "pool": "others"}, {"pool": "ours"}],
        {"ours": ours, "others": others},
        **_CLEAR,
    )
    with RawClient(evenpost.port) as client:
        client.hello()
        log_in(client)
        (refuser,) = [server for server in ours if not server.logins]
        refuser.users = {}
        for _ in range(3):
            client.send_message()
        assert refuser.logins and not refuser.messages
        client.say_hello("other.example")
        for _ in range(4):
            client.send_message()
    assert [len(server.messages) for server in others] == [2, 2]


def test_login_is_spent_in_its_pool_alone(routed, checking_servers):
    """Where the only server of a pool refuses what another pool's has taken, the session is
    over as soon as its mail would go there, and not before."""
    (ours,), (others,) = checking_servers(), checking_servers()
    others.users = {}
    evenpost = routed(
        [{"helo": "other.example", "pool": "others"}, {"pool": "ours"}],
        {"ours": [ours], "others": [others]},
        **_CLEAR,
    )
    with RawClient(evenpost.port) as client:
        client.hello()
        log_in(client)
        client.say_hello("other.example")
        client.command("MAIL FROM:<a@a.example>", 250)
        client.command("RCPT TO:<b@b.example>", "451 4.7.0")
        client.say_hello()
        client.send_message()
        client.say_hello("other.example")
        client.command("MAIL FROM:<a@a.example>", "421 4.7.0")
    assert len(ours.messages) == 1 and not others.messages


def test_login_is_proven_in_each_pool(routed, checking_servers):
    """One who is a user of one pool's servers is not told to another's by name alone, which
    may know somebody else by it."""
    partner, corp = checking_servers(2, extensions=(*EXTENSIONS, "XCLIENT ADDR LOGIN"))
    partner.users, corp.users = {"ceo": "of the partner"}, {"ceo": "secret"}
    evenpost = routed(
        [{"helo": "*.partner.example", "pool": "partner"}, {"user": "*", "pool": "corp"}],
        {"partner": [partner], "corp": [corp]},
        {"identity": "xclient", "repeat-login": "xclient"},
        **_CLEAR,
    )
    with RawClient(evenpost.port) as client:
        client.hello("x.partner.example")
        log_in(client, "ceo", "of the partner")
        client.send_message()
        client.say_hello("other.example")
        client.command("MAIL FROM:<a@a.example>", 250)
        client.command("RCPT TO:<b@b.example>", "451 4.7.0")
    assert len(partner.messages) == 1 and not corp.messages
    assert not [line for line in corp.commands() if "LOGIN=" in line]


def test_challenges_need_a_route_of_all_users(routed, checking_servers):
    """Else they could only fail: they are not offered, nor held against the client."""
    first, second = checking_servers(2)
    evenpost = routed(
        [{"user": "*@a.example", "pool": "a"}, {"user": "*@b.example", "pool": "b"}],
        {"a": [first], "b": [second]},
        **{**_CLEAR, "auth-failures": "1/h"},
    )
    with RawClient(evenpost.port) as client:
        assert client.hello()["AUTH"].split() == ["PLAIN", "LOGIN", "XOAUTH2"]
        client.command("AUTH CRAM-MD5", 504)
        log_in(client)


def test_a_token_without_a_name_and_a_route(routed, checking_servers):
    """Nobody can say whether it is true: that is not held against the client."""
    (server,) = checking_servers(auth="AUTH PLAIN OAUTHBEARER")
    evenpost = routed(
        [{"user": "*@a.example", "pool": "a"}],
        {"a": [server]},
        **{**_CLEAR, "auth-failures": "1/h"},
    )
    token = encode("n,,\1auth=Bearer t\1\1")
    with RawClient(evenpost.port) as client:
        client.hello()
        client.command(f"AUTH OAUTHBEARER {token}", "535 5.7.8")
        client.command(f"AUTH OAUTHBEARER {token}", "535 5.7.8")
        log_in(client)
        client.send_message()
    assert len(evenpost.wait_event("reject", count=2, reason="route", phase="auth")) == 2


def test_users_of_two_pools_are_two(routed, checking_servers):
    """One's rate is not the other's, who may be somebody else of that name."""
    partner, corp = checking_servers(2)
    evenpost = routed(
        [{"helo": "*.partner.example", "pool": "partner"}, {"user": "*", "pool": "corp"}],
        {"partner": [partner], "corp": [corp]},
        **{**_CLEAR, "user-message-rate": "1/h"},
    )
    for name in ("x.partner.example", "other.example"):
        with RawClient(evenpost.port) as client:
            client.hello(name)
            log_in(client)
            client.send_message()
            client.command("MAIL FROM:<a@a.example>", "450 4.7.1")


def test_machines_that_never_log_in(routed, checking_servers, scripted_servers):
    """Servers that are reached by address alone may be without AUTH: that is no fault."""
    (submission,) = checking_servers()
    internal, hubs = scripted_servers(2)
    evenpost = routed(
        [{"client": "127.0.0.9", "pool": "internal"}, {"user": "*", "pool": "submission"},
         {"pool": "hubs"}],
        {"internal": [internal], "submission": [submission], "hubs": [hubs]},
        **_CLEAR,
    )
    with RawClient(evenpost.port) as client:
        assert "AUTH" in client.hello()
    with RawClient(evenpost.port, source="127.0.0.9") as client:
        assert "AUTH" not in client.hello()
    pools = evenpost.pools()
    assert [server["fault"] for pool in pools.values() for server in pool.values()] == [None] * 3


# ---- mode: connection ----


def test_connections_by_address(routed, scripted_servers):
    own, rest = scripted_servers(2)
    own.on("greeting", "220 own")
    rest.on("greeting", "220 rest")
    evenpost = routed(
        [{"client": "127.0.0.2", "pool": "own"}, {"client": "127.0.0.3", "pool": "rest"}],
        {"own": [own], "rest": [rest]},
        {"health": {"probe": "none"}},
        mode="connection",
    )
    greetings = {}
    for number in (2, 3, 4):
        with RawClient(evenpost.port, source=f"127.0.0.{number}") as client:
            greetings[number] = client.read_reply().lines
    assert greetings == {
        2: ["220 own"],
        3: ["220 rest"],
        4: ["554 5.7.1 No route for connections from you"],
    }
    (line,) = evenpost.wait_event("reject", reason="route")
    assert (line["client"], line["phase"]) == ("127.0.0.4", "connect")
    sessions = evenpost.wait_event("session", count=2)
    assert sorted(line["pool"] for line in sessions) == ["own", "rest"]


@pytest.mark.parametrize("greets, said", [(True, True), (False, False)])
def test_words_for_who_has_no_route(routed, scripted_servers, greets, said):
    """Where some servers do not speak first, clients may not expect it of us."""
    first, second = scripted_servers(2)
    evenpost = routed(
        [{"client": "127.0.0.2", "pool": "a"}, {"client": "127.0.0.3", "pool": "b"}],
        {"a": [first], "b": [second]},
        {"health": {"probe": "none"}},
        mode="connection",
        pools_of={"b": {"greets": greets}},
    )
    with RawClient(evenpost.port) as client:
        assert client.read_to_end().startswith(b"554") == said


# ---- what is shown ----


def test_retries_are_counted_where_they_were(routed, scripted_servers):
    (first,), (second, third) = scripted_servers(1), scripted_servers(2)
    second.on("mail", "421 4.3.2 later")
    third.on("mail", "421 4.3.2 later")
    evenpost = routed(
        [{"client": "127.0.0.2", "pool": "a"}, {"pool": "b"}],
        {"a": [first], "b": [second, third]},
    )
    send_one(evenpost.port, expected=451)
    metrics = evenpost.get("/metrics")[1].decode()
    for pool, server, count in (("a", "a1", 0), ("b", "b1", 1), ("b", "b2", 1)):
        labels = f'pool="{pool}",server="{server}",phase="envelope"'
        assert f"evenpost_retries_total{{{labels}}} {count}\n" in metrics
    labels = 'listener="inbound",pool="b",server="-",result="deferred"'
    assert "evenpost_messages_total{" in metrics and labels in metrics


def test_status(routed, scripted_servers):
    """A listener is ready as long as one of its pools takes mail."""
    first, second = scripted_servers(2)
    evenpost = routed(
        [{"client": "127.0.0.2", "pool": "a"}, {"pool": "b"}], {"a": [first], "b": [second]}
    )
    assert b'"pool":"a, b","pools":["a","b"]' in evenpost.get("/api/v1/status")[1].replace(
        b": ", b":"
    )
    second.stop()
    evenpost.wait_state("b1", "down", pool="b")
    status, checks = evenpost.get("/readyz?verbose")
    assert status == 200
    assert b"a server is up in pool a; no server is up in pool b" in checks
    first.stop()
    evenpost.wait_state("a1", "down", pool="a")
    assert evenpost.get("/readyz")[0] == 503
