"""What a server's own log says of who the client is, for each identity of a pool."""

import re

import pytest

from conveyed import (
    BEHIND_PROXY,
    ELSEWHERE,
    LOCAL,
    connect,
    new_address,
    send_message,
    try_recipient,
    wait_postfix_client,
)
from harness.evenpost import configure_pool
from harness.exim import Exim
from harness.opensmtpd import OpenSMTPD
from harness.postfix import Postfix
from harness.scratch import make_scratch, remove_scratch
from test_servers_told import wait_client

# A listener and a pool each: the server, which of its ports if not the first, and the
# identity.
WAYS = {
    "proxy-v1": ("postfix", "proxy", "proxy-v1"),
    "proxy-v2": ("postfix", "proxy", "proxy-v2"),
    "postscreen-v1": ("postfix", "postscreen", "proxy-v1"),
    "postscreen-v2": ("postfix", "postscreen", "proxy-v2"),
    "xclient": ("postfix", "listed", "xclient"),
    "xforward": ("postfix", "listed", "xforward"),
    "header": ("postfix", None, "header"),
    "none": ("postfix", None, "none"),
    "exim-v1": ("exim", None, "proxy-v1"),
    "exim-v2": ("exim", None, "proxy-v2"),
    "opensmtpd": ("opensmtpd", None, "proxy-v2"),
    "lmtp-v1": ("dovecot", "lmtp", "proxy-v1"),
    "lmtp-v2": ("dovecot", "lmtp", "proxy-v2"),
    "lmtp-xclient": ("dovecot", None, "xclient"),
}
# Postfix trusts 127.0.0.1, which is evenpost, unless it knows the client.
SHOWING = ["proxy-v1", "proxy-v2", "postscreen-v1", "postscreen-v2", "xclient"]
HIDING = ["xforward", "header", "none"]
UNPREPARED = [Postfix, Exim, OpenSMTPD]
# How the log of each of the others tells the client.
OTHERS = {
    "exim-v1": "exim",
    "exim-v2": "exim",
    "opensmtpd": "opensmtpd",
    "lmtp-v1": "dovecot",
    "lmtp-v2": "dovecot",
    "lmtp-xclient": "dovecot-xclient",
}


def pool_at(address, identity, **keys):
    return configure_pool({"server": address}, identity=identity, **keys)


@pytest.fixture(scope="module")
def evenpost(addressed, start_evenpost):
    """A listener and a pool for each way, of the same name."""
    pools = {}
    for way, (name, port, identity) in WAYS.items():
        server = addressed[name]
        number = server.ports[port] if port else server.port
        protocol = "lmtp" if name == "dovecot" else "smtp"
        pools[way] = pool_at(f"127.0.0.1:{number}", identity, protocol=protocol)
    listeners = {way: {**BEHIND_PROXY, "pool": way} for way in WAYS}
    return start_evenpost(pools, listeners)


def wait_message(evenpost, address):
    """evenpost's own line has the client as well."""
    assert evenpost.wait_event("message", client=address, result="accepted")


@pytest.mark.parametrize("way", SHOWING)
def test_postfix_knows_the_client(addressed, evenpost, way):
    """Its log has the client, and its lists are about the client: no open relay."""
    address = new_address()
    with connect(evenpost.ports[way], address) as client:
        refusal = try_recipient(client, ELSEWHERE)
        assert refusal.code == 554 and "Relay access denied" in refusal.text
        assert try_recipient(client, LOCAL).code == 250
        reply, _ = send_message(client)
    wait_postfix_client(addressed["postfix"], reply, address)
    wait_message(evenpost, address)


@pytest.mark.parametrize("way", HIDING)
def test_postfix_takes_us_for_the_client(addressed, evenpost, way):
    """Why evenpost's address may be in no list of trusted ones: an open relay."""
    address = new_address()
    with connect(evenpost.ports[way], address) as client:
        assert try_recipient(client, ELSEWHERE).code == 250
        reply, _ = send_message(client)
    wait_postfix_client(addressed["postfix"], reply, "127.0.0.1")
    wait_message(evenpost, address)


def test_xforward_is_in_the_log_alone(addressed, evenpost):
    """The id is that of the session in our own log."""
    address = new_address()
    with connect(evenpost.ports["xforward"], address) as client:
        reply, _ = send_message(client)
    (line,) = evenpost.wait_event("message", client=address)
    origin = rf"orig_client=unknown\[{re.escape(address)}\]"
    more = rf", orig_queue_id={line['session']}, {origin}"
    wait_postfix_client(addressed["postfix"], reply, "127.0.0.1", more)


def test_postfix_trusts_whom_it_is_told_of(addressed, evenpost):
    """Not the connection: a client of mynetworks may send anywhere, and is one."""
    for way in ("proxy-v2", "xclient"):
        with connect(evenpost.ports[way], "127.0.0.1") as client:
            assert try_recipient(client, ELSEWHERE).code == 250


@pytest.mark.parametrize("way", OTHERS)
def test_other_servers(addressed, evenpost, way):
    address = new_address()
    with connect(evenpost.ports[way], address) as client:
        send_message(client)
        client.command("QUIT", 221)
    wait_client(addressed[WAYS[way][0]], OTHERS[way], address)
    wait_message(evenpost, address)


@pytest.mark.parametrize("identity", ["xclient", "xforward"])
def test_postfix_does_not_list_us(addressed, start_evenpost, identity):
    """No mail goes where the client cannot be told of, and it is said why."""
    pool = pool_at(addressed["postfix"].address, identity)
    evenpost = start_evenpost({"hubs": pool}, {"inbound": BEHIND_PROXY})
    with connect(evenpost.port, new_address()) as client:
        client.command("MAIL FROM:<ann@a.example>", 250)
        client.command(f"RCPT TO:<{LOCAL}>", "451 4.3.2")
    fault = f"does not announce {identity.upper()} to 127.0.0.1"
    assert fault in evenpost.wait_event("fault")[0]["why"]
    assert fault in evenpost.pools()["hubs"]["server"]["fault"]


@pytest.fixture(scope="module")
def unprepared(peers):
    """{name: server}: none of them expects a header."""
    directory = make_scratch()
    servers = {kind.__name__: kind(directory, "plain" + kind.__name__) for kind in UNPREPARED}
    try:
        for server in servers.values():
            server.start()
        yield servers
    finally:
        for server in servers.values():
            server.stop()
        remove_scratch(directory)


@pytest.mark.parametrize("identity", ["proxy-v1", "proxy-v2"])
@pytest.mark.parametrize("name", [kind.__name__ for kind in UNPREPARED])
def test_who_does_not_expect_a_header(unprepared, start_evenpost, name, identity):
    """The first probe finds it, and it is said what is wrong."""
    pool = pool_at(unprepared[name].address, identity)
    evenpost = start_evenpost({"hubs": pool}, {"inbound": {}}, ready=False)
    fault = "does not understand a PROXY header from 127.0.0.1"
    assert fault in evenpost.wait_event("fault")[0]["why"]
    assert fault in evenpost.pools()["hubs"]["server"]["fault"]


def test_probes_come_as_themselves(addressed, evenpost):
    """Also where every connection must begin with a PROXY header."""
    states = {way: s["server"]["state"] for way, s in evenpost.pools().items()}
    assert set(states.values()) == {"up"}, states
    postfix = addressed["postfix"].program
    assert postfix.wait_log(r"proxy/smtpd\S+ connect from unknown\[127\.0\.0\.1\]")
    assert postfix.wait_log(r"postscreen\S+ ALLOWLISTED \[127\.0\.0\.1\]")
