"""Which servers get mail: threats B7, B11; design "Health", as seen from outside."""

import threading

import pytest

from harness.evenpost import EAGER_HEALTH, PROBED_ONCE, Evenpost, configure_pool
from harness.raw_client import RawClient
from harness.scripted_server import DROP, RESET, ScriptedServer, Wait
from harness.waiting import wait_until

_UNPROBED = {"health": {"probe": "none"}}


def send_messages(evenpost, count):
    with RawClient(evenpost.port) as client:
        client.hello()
        for _ in range(count):
            client.send_message()
        client.command("QUIT", 221)


def probe_commands(server):
    """What the first connection, a probe, has said."""
    return server.connections[0].commands


def test_probe_speaks_as_it_should(evenpost_before, scripted_servers):
    """B11: all of a multi-line greeting, EHLO, all of its reply, QUIT, and then 221."""
    (server,) = scripted_servers(1)
    may_leave = threading.Event()
    server.on("greeting", [b"220-one\r\n22", b"0-two\r", b"\n220 three\r\n"])
    server.on("quit", Wait(may_leave, "221 Bye"))
    evenpost = evenpost_before(
        server, pool={"health": {**EAGER_HEALTH, "interval": "1h"}}, ready=False
    )
    server.wait_for(lambda s: s.connections and "QUIT" in probe_commands(s), "QUIT")
    assert not server.connections[0].closed
    assert not evenpost.is_ready(), "the probe did not wait for 221"
    may_leave.set()
    evenpost.wait_ready()
    assert probe_commands(server) == ["EHLO evenpost.test", "QUIT"]


@pytest.mark.parametrize(
    "probe, commands",
    [
        ("tcp", None),
        ("banner", ["QUIT"]),
        ("ehlo", ["EHLO evenpost.test", "QUIT"]),
    ],
)
def test_steps_of_the_ladder(evenpost_before, scripted_servers, probe, commands):
    """B11: each probe goes as far as its name says, and takes its leave."""
    (server,) = scripted_servers(1)
    evenpost_before(
        server, pool={"health": {**EAGER_HEALTH, "interval": "1h", "probe": probe}}
    )
    if commands is not None:
        server.wait_for(lambda s: probe_commands(s) == commands, str(commands))


def test_probe_of_lmtp(evenpost_before, scripted_servers):
    """B11: a probe speaks what traffic would speak."""
    (server,) = scripted_servers(1)
    server.on("other", "250-scripted.test\n250 PIPELINING")
    evenpost_before(
        server,
        pool={"protocol": "lmtp", "health": {**EAGER_HEALTH, "interval": "1h"}},
    )
    server.wait_for(
        lambda s: probe_commands(s) == ["LHLO evenpost.test", "QUIT"], "LHLO"
    )


@pytest.mark.threads
@pytest.mark.parametrize(
    "stage, action",
    [
        ("greeting", "554 no service"),
        ("greeting", "421 too busy"),
        ("greeting", "220-one\n250 two"),
        ("greeting", DROP),
        ("greeting", RESET),
        ("ehlo", "550 go away"),
    ],
)
def test_down_and_up(evenpost_before, scripted_servers, stage, action):
    """B7: such a server is down, one line says so, and it comes back."""
    first, second = scripted_servers(2)
    evenpost = evenpost_before(first, second)
    first.on(stage, action).on("helo", action)
    evenpost.wait_state("s1", "down")
    send_messages(evenpost, 4)
    assert len(second.messages) == 4 and not first.messages
    assert len(evenpost.wait_event("server", server="s1", state="down")) == 1
    first.on(stage, "220 back" if stage == "greeting" else "250 back")
    evenpost.wait_state("s1", "up")
    evenpost.wait_event("server", server="s1", state="up", was="down")


def test_all_down_is_said_at_once(evenpost_before, scripted_servers):
    """B7, Clients: No server: 451 4.3.2 and no attempt to connect."""
    (server,) = scripted_servers(1)
    evenpost = evenpost_before(server)
    server.stop()
    evenpost.wait_state("s1", "down")
    with RawClient(evenpost.port) as client:
        client.hello()
        client.command("MAIL FROM:<ann@a.example>", 250)
        client.command("RCPT TO:<bob@b.example>", "451 4.3.2")
        client.command("QUIT", 221)


@pytest.mark.threads
def test_ejection(evenpost_before, scripted_servers):
    """Passive: a server whose traffic fails is ejected, clients see none of it."""
    first, second = scripted_servers(2)
    first.on("greeting", "421 not for you")
    evenpost = evenpost_before(
        first,
        second,
        pool={**_UNPROBED, "passive": {"failures": 3, "eject": "1h"}},
    )
    send_messages(evenpost, 20)
    assert len(second.messages) == 20
    assert len(first.connections) == 3, "tried on after its ejection"
    (event,) = evenpost.wait_event("server", server="s1", state="ejected")
    assert "421" in event["why"], event


def test_ejection_ends(evenpost_before, scripted_servers):
    """Passive: after its time it is tried again, and is welcome."""
    first, second = scripted_servers(2)
    first.on("greeting", DROP, "220 well again")
    evenpost = evenpost_before(
        first,
        second,
        pool={**_UNPROBED, "passive": {"failures": 1, "eject": "200ms"}},
    )
    send_messages(evenpost, 2)
    evenpost.wait_event("server", server="s1", state="ejected")
    evenpost.wait_state("s1", "up")
    before = len(first.messages)  # it may have been well again for the second
    send_messages(evenpost, 4)
    assert len(first.messages) == before + 2
    assert len(first.messages) + len(second.messages) == 6


def test_never_more_than_max_ejected(evenpost_before, scripted_servers):
    """Passive: of four failing servers two stay, and clients hear why."""
    servers = scripted_servers(4)
    for server in servers:
        server.on("greeting", "421 all broken")
    evenpost = evenpost_before(
        *servers,
        pool={
            **_UNPROBED,
            "passive": {"failures": 1, "eject": "1h", "max-ejected": "50%"},
            "retry": {"attempts": 8},
        },
    )
    with RawClient(evenpost.port) as client:
        client.hello()
        for _ in range(6):
            client.command("MAIL FROM:<ann@a.example>", 250)
            client.command("RCPT TO:<bob@b.example>", "451 4.3.2")
            client.command("RSET", 250)
    states = [server["state"] for server in evenpost.pools()["hubs"].values()]
    assert sorted(states) == ["ejected", "ejected", "up", "up"]


def test_refused_recipients_are_nobody_s_fault(evenpost_before, scripted_servers):
    """Passive: 4xx and 5xx to recipients and messages eject nobody."""
    (server,) = scripted_servers(1)
    server.on("rcpt", "550 5.1.1 no", "450 4.2.0 later")
    evenpost = evenpost_before(
        server, pool={**_UNPROBED, "passive": {"failures": 1, "eject": "1h"}}
    )
    with RawClient(evenpost.port) as client:
        client.hello()
        for code in (550, 450, 450):
            client.command("MAIL FROM:<ann@a.example>", 250)
            client.command("RCPT TO:<bob@b.example>", code)
            client.command("RSET", 250)
    assert evenpost.pools()["hubs"]["s1"]["state"] == "up"


def test_extensions_follow_the_probes(scratch):
    """F5, I10: what is offered shrinks and grows with what the servers can do."""
    with ScriptedServer() as first, ScriptedServer() as second:
        named = {"s1": first.address, "s2": second.address}
        evenpost = Evenpost(scratch, {"hubs": configure_pool(named)}).start()

        def offers():
            with RawClient(evenpost.port) as client:
                return client.hello()

        assert "SMTPUTF8" in offers()
        first.extensions = ("PIPELINING", "SIZE 1000")
        wait_until(lambda: "SMTPUTF8" not in offers(), "SMTPUTF8 to go")
        assert offers()["SIZE"] == "1000"
        first.extensions = second.extensions
        wait_until(lambda: "SMTPUTF8" in offers(), "SMTPUTF8 to come back")
        evenpost.stop()


@pytest.mark.parametrize(
    ("unable", "reply"),
    [
        (2, "550 5.6.7 No server takes SMTPUTF8"),
        (1, "450 4.3.2 later"),
    ],
    ids=["none is able", "the one that is able has failed"],
)
def test_no_able_server_is_left(evenpost_before, scripted_servers, unable, reply):
    """Only what no server can do is refused for good."""
    servers = scripted_servers(2)
    evenpost = evenpost_before(
        *servers, pool={"reuse": {"max-messages": 1}, "health": PROBED_ONCE}
    )
    with RawClient(evenpost.port) as client:
        client.hello()
        for server in servers[:unable]:
            server.unlearn("SMTPUTF8")
        while not all(server.messages for server in servers):
            client.send_message()
        servers[1].on("mail", "450 4.3.2 later")
        client.command("MAIL FROM:<ann@a.example> SMTPUTF8", 250)
        client.command("RCPT TO:<bob@b.example>", reply)
