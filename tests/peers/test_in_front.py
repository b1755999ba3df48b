"""HAProxy, nginx and another evenpost in front: the client goes through both of us."""

import re

import pytest

from conveyed import (
    BEHIND_PROXY,
    ELSEWHERE,
    NEIGHBOUR,
    queue_id,
    send_message,
    try_recipient,
    wait_postfix_client,
)
from harness.evenpost import configure_pool
from harness.front import Haproxy, NginxMail, NginxStream
from harness.raw_client import RawClient
from harness.scripted_server import EXTENSIONS, ScriptedServer

ATTRIBUTES = "XCLIENT NAME ADDR PROTO HELO REVERSE_NAME PORT LOGIN DESTADDR DESTPORT"


@pytest.fixture(scope="module")
def evenpost(addressed, start_evenpost):
    """It believes 127.0.0.1, where those in front are, and tells Postfix."""
    address = f"127.0.0.1:{addressed['postfix'].ports['proxy']}"
    pool = configure_pool({"postfix": address}, identity="proxy-v2")
    return start_evenpost({"hubs": pool}, {"inbound": BEHIND_PROXY})


FRONTS = {
    "haproxy-v1": lambda *to: Haproxy(*to, "send-proxy"),
    "haproxy-v2": lambda *to: Haproxy(*to, "send-proxy-v2"),
    "nginx-stream": NginxStream,
}


@pytest.fixture(scope="module")
def start_front(session_scratch):
    """start_front(make, name, address): runs until the end of the module."""
    started = []

    def start(make, name, address):
        started.append(make(session_scratch, name, address))
        return started[-1].start()

    yield start
    for front in started:
        front.stop()


def check_client_everywhere(port, addressed, evenpost):
    """A client that is not at 127.0.0.1 is in both logs as what it is, and no relay."""
    with RawClient(port, source=NEIGHBOUR) as client:
        client.hello()
        assert "Relay access denied" in try_recipient(client, ELSEWHERE).text
        reply, _ = send_message(client)
        client.command("QUIT", 221)
    wait_postfix_client(addressed["postfix"], reply, NEIGHBOUR)
    (line,) = evenpost.wait_event("message", queue_id=queue_id(reply))
    assert line["client"] == NEIGHBOUR and line["helo"] == "client.example"


@pytest.mark.parametrize("name", FRONTS)
def test_balancer_in_front(addressed, evenpost, start_front, name):
    front = start_front(FRONTS[name], name, f"127.0.0.1:{evenpost.port}")
    check_client_everywhere(front.port, addressed, evenpost)


@pytest.mark.parametrize("mode", ["message", "connection"])
@pytest.mark.parametrize("identity", ["proxy-v1", "proxy-v2"])
def test_evenpost_in_front(addressed, evenpost, start_evenpost, identity, mode):
    """The next one hears the client's own name too, whoever says EHLO to it."""
    pool = configure_pool(
        {"next": f"127.0.0.1:{evenpost.port}"}, identity=identity
    )
    front = start_evenpost({"next": pool}, {"inbound": {"mode": mode}})
    check_client_everywhere(front.port, addressed, evenpost)


# The same with XCLIENT, beside nginx' mail module, which knows it as well.


@pytest.fixture(scope="module")
def ways_of_xclient(start_front, start_evenpost):
    """ways_of_xclient(address): {name: port} of both in front of a server there."""

    def start(address, name):
        nginx = start_front(NginxMail, f"nginx-{name}", address)
        pool = configure_pool({"server": address}, identity="xclient")
        return {
            "nginx": nginx.port,
            "evenpost": start_evenpost({"hubs": pool}, {"inbound": {}}).port,
        }

    return start


def test_xclient_of_both(addressed, ways_of_xclient):
    postfix = addressed["postfix"]
    ways = ways_of_xclient(f"127.0.0.1:{postfix.ports['listed']}", "postfix")
    for port in ways.values():
        assert "Relay access denied" in try_one(port).text
        with RawClient(port, source=NEIGHBOUR) as client:
            client.hello()
            reply, _ = send_message(client)
        wait_postfix_client(postfix, reply, NEIGHBOUR)


def try_one(port):
    """A connection of its own: nginx passes the first MAIL and RCPT, and RSET not
    before them."""
    with RawClient(port, source=NEIGHBOUR) as client:
        client.hello()
        client.command("MAIL FROM:<ann@a.example>", 250)
        return client.command(f"RCPT TO:<{ELSEWHERE}>")


def test_what_each_tells(ways_of_xclient):
    """nginx tells the address and the name, and repeats the client's own EHLO;
    evenpost tells all that the server takes, and says EHLO for itself."""
    server = ScriptedServer(extensions=(*EXTENSIONS, ATTRIBUTES))
    try:
        ways = ways_of_xclient(server.address, "scripted")
        told = {way: commands_told(server, port) for way, port in ways.items()}
    finally:
        server.stop()
    assert told["nginx"][:4] == [
        "EHLO nginx-scripted.test",
        f"XCLIENT ADDR={NEIGHBOUR} NAME=[UNAVAILABLE]",
        "EHLO client.example",
        "MAIL FROM:<ann@a.example>",
    ]
    line = told["evenpost"][1]
    assert re.fullmatch(
        r"XCLIENT NAME=\[TEMPUNAVAIL\] PORT=\d+ PROTO=ESMTP HELO=client\.example"
        rf" DESTADDR=127\.0\.0\.1 DESTPORT={ways['evenpost']} ADDR=127\.0\.0\.5",
        line,
    ), line
    assert told["evenpost"][2] == "EHLO evenpost.test"


def commands_told(server, port):
    """The commands of the connection that carried the mail."""
    with RawClient(port, source=NEIGHBOUR) as client:
        client.hello()
        send_message(client)
        client.command("QUIT", 221)
    return [c.commands for c in server.connections if "DATA" in c.commands][-1]
