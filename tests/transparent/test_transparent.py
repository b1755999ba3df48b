"""identity: transparent, between real machines: servers see the clients' addresses."""

import re

import pytest

from harness.network import CLIENTS, SERVER
from harness.peer import missing_peers
from harness.postfix import DELIVERS, Postfix
from harness.waiting import has_greeting

FAMILIES = ["IPv4", "IPv6"]
MODES = ["message", "connection"]
# Where replies are lost a client does not wait long.
IMPATIENT = {"timeouts": {"connect": "1s"}}
CAP_NET_RAW = 1 << 13
FAULT_METRIC = b'evenpost_server_fault{pool="hubs",server="s1"} 1\n'
NEEDS_THE_RIGHT = (
    "s1 can not be reached from the address of a client; evenpost needs CAP_NET_RAW, "
    "in the unit: AmbientCapabilities=CAP_NET_RAW CapabilityBoundingSet=CAP_NET_RAW"
)
OTHER_FAMILY = (
    "s1 can not be reached from the address of a client; its address is of another "
    "family: clients and servers must both have IPv4, or both IPv6"
)


def send_as(connect, address, messages=1):
    """A whole visit of a client; the last reply."""
    with connect(address) as client:
        client.hello()
        for _ in range(messages):
            reply = client.send_message()
        return reply


def expect_refusal(connect, address, mode):
    """What a client hears that can be connected to no server."""
    with connect(address) as client:
        if mode == "connection":
            client.expect("421 4.3.2")
            return
        client.hello()
        client.command("MAIL FROM:<ann@a.example>", 250)
        client.command("RCPT TO:<bob@b.example>", "451 4.3.2")


def carriers(server):
    """(where it came from, mails it carried) of each connection that carried any."""
    carried = [
        (c.client_address[0], sum(line.startswith("MAIL") for line in c.commands))
        for c in server.connections
    ]
    return [(address, mails) for address, mails in carried if mails]


def shown(evenpost):
    """The fault of the server now."""
    return evenpost.pools()["hubs"]["s1"]["fault"]


def logged(evenpost):
    """All that the log has of faults; it is complete when evenpost has ended."""
    evenpost.stop()
    return [line["why"] for line in evenpost.log_events("fault")]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("family", FAMILIES)
def test_the_server_sees_its_clients(
    network, server_of, transparent_before, connect, family, mode
):
    """Each by its own address, and on a connection of its own."""
    network.lead_replies_back(family)
    server = server_of(family)
    evenpost = transparent_before(server, listener={"mode": mode}, workers=1)
    for address in CLIENTS[family]:
        send_as(connect, address, messages=2)
    assert carriers(server) == [(address, 2) for address in CLIENTS[family]]
    assert not logged(evenpost)


def test_clients_that_come_at_the_same_time(
    network, server_of, transparent_before, connect
):
    """Neither gets the other's connection, whoever is idle."""
    network.lead_replies_back("IPv4")
    server = server_of("IPv4")
    transparent_before(server, workers=1)
    clients = [connect(address) for address in CLIENTS["IPv4"]]
    for client in clients:
        client.hello()
    for _ in range(2):
        for client in clients:
            client.send_message()
    assert carriers(server) == [(address, 2) for address in CLIENTS["IPv4"]]


class Hub(Postfix):
    """On the server's machine. It relays for nobody, whoever sends."""

    host = SERVER["IPv4"]

    def __init__(self, directory, name, machine):
        self.machine = machine
        self.launcher = machine.launcher
        super().__init__(directory, name)
        self.port = 25
        self.configure()

    def settings(self):
        guard = "smtpd_relay_restrictions = reject_unauth_destination\n"
        return guard + "virtual_mailbox_domains = b.example\n" + DELIVERS

    def is_ready(self):
        with self.machine.inside():
            return has_greeting(self.port, host=self.host)


@pytest.fixture
def hub(network, scratch):
    missing = missing_peers()
    assert not missing, missing
    server = Hub(scratch, "hub", network.server)
    yield server.start()
    server.stop()


@pytest.mark.parametrize("mode", MODES)
def test_postfix_logs_the_client(network, hub, transparent_before, connect, mode):
    network.lead_replies_back("IPv4")
    transparent_before(hub, listener={"mode": mode})
    for address in CLIENTS["IPv4"]:
        reply = send_as(connect, address)
        queue_id = re.search(r"queued as (\w+)", reply.text).group(1)
        assert hub.program.wait_log(rf"{queue_id}: client=unknown\[{address}\]")


@pytest.mark.parametrize("missing", ["route", "rule"])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_fault_says_what_to_do(
    network, server_of, transparent_before, connect, family, missing
):
    """The command as it stands there mends it, and the first client proves it."""
    option = "-6 " if family == "IPv6" else ""
    if missing == "rule":
        network.balancer.run(f"ip {option}route add local default dev lo table 77")
        what = "no rule leads to table 77"
    else:
        what = "no route keeps replies here"
    evenpost = transparent_before(server_of(family), pool=IMPATIENT)
    (address, _) = CLIENTS[family]
    fault = shown(evenpost)
    prefix = f"s1 can not be reached from the address of a client; {what}: "
    assert fault.startswith(prefix)
    assert FAULT_METRIC in evenpost.get("/metrics")[1]
    expect_refusal(connect, address, "message")
    network.balancer.run(fault.removeprefix(prefix))
    send_as(connect, address)
    assert shown(evenpost) is None
    assert logged(evenpost) == [fault, "mended"]


@pytest.mark.parametrize("mode", MODES)
def test_after_a_restart_nothing_is_missing(
    network, server_of, transparent_before, connect, mode
):
    """In connection mode too the connect alone proves it."""
    server = server_of("IPv4")
    evenpost = transparent_before(server, listener={"mode": mode})
    fault = shown(evenpost)
    evenpost.stop()
    network.balancer.run(fault.partition(": ")[2])
    evenpost = transparent_before(server, listener={"mode": mode})
    send_as(connect, CLIENTS["IPv4"][0])
    assert not logged(evenpost)


def test_connection_mode_proves_it(network, server_of, transparent_before, connect):
    server = server_of("IPv4")
    evenpost = transparent_before(server, listener={"mode": "connection"})
    fault = shown(evenpost)
    network.lead_replies_back("IPv4")
    with connect(CLIENTS["IPv4"][0]) as client:
        client.hello()
    assert shown(evenpost) is None
    assert logged(evenpost) == [fault, "mended"]


@pytest.mark.parametrize("mode", MODES)
def test_without_the_right(network, server_of, transparent_before, connect, mode):
    """Said once, as is what keeps clients of the other family away."""
    network.lead_replies_back("IPv4")
    server = server_of("IPv4")
    evenpost = transparent_before(
        server,
        listener={"mode": mode},
        behind=["setpriv", "--bounding-set=-net_raw,-net_admin"],
    )
    for _ in range(3):
        expect_refusal(connect, CLIENTS["IPv4"][0], mode)
        expect_refusal(connect, CLIENTS["IPv6"][0], mode)
    assert shown(evenpost) == NEEDS_THE_RIGHT
    assert evenpost.pools()["hubs"]["s1"]["state"] == "up"
    assert logged(evenpost) == [NEEDS_THE_RIGHT, OTHER_FAMILY]


@pytest.mark.parametrize(
    "identity, kept", [("transparent", CAP_NET_RAW), ("none", 0)]
)
def test_as_an_unprivileged_user(
    network, server_of, transparent_before, connect, identity, kept
):
    """Of root's rights one is kept, where it is needed, and nothing else."""
    network.lead_replies_back("IPv4")
    server = server_of("IPv4")
    evenpost = transparent_before(server, pool={"identity": identity}, user="nobody")
    send_as(connect, CLIENTS["IPv4"][0])
    ((address, _),) = carriers(server)
    assert (address == CLIENTS["IPv4"][0]) == (identity == "transparent")
    with open(f"/proc/{evenpost.program.pid}/status", encoding="ascii") as lines:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in lines)
    assert set(status["Uid"].split()) == {"65534"}
    assert {int(status[key], 16) for key in ("CapPrm", "CapEff")} == {kept}
    assert not logged(evenpost)


@pytest.mark.parametrize("mode", MODES)
def test_a_client_of_the_other_family(
    network, server_of, transparent_before, connect, mode
):
    """It is refused and the log says why, once; clients in between are served."""
    network.lead_replies_back("IPv4")
    server = server_of("IPv4")
    evenpost = transparent_before(server, listener={"mode": mode})
    for _ in range(3):
        expect_refusal(connect, CLIENTS["IPv6"][0], mode)
        send_as(connect, CLIENTS["IPv4"][0])
    assert len(server.messages) == 3
    assert shown(evenpost) == OTHER_FAMILY
    assert logged(evenpost) == [OTHER_FAMILY]


def test_a_server_that_knows_no_hello(network, server_of, transparent_before, connect):
    """It refuses the client; with the machine nothing is wrong."""
    network.lead_replies_back("IPv4")
    server = server_of("IPv4")
    evenpost = transparent_before(server, pool={"health": {"probe": "none"}})
    server.on("ehlo", "500 5.5.1 what").on("helo", "502 5.5.1 what")
    with connect(CLIENTS["IPv4"][0]) as client:
        client.hello()
        client.command("MAIL FROM:<ann@a.example>", 250)
        client.command("RCPT TO:<bob@b.example>", "502 5.5.1 what")
    assert not logged(evenpost)


def test_a_mark_is_the_firewalls(network, server_of, transparent_before):
    """Whether it sets it is not to be seen: that it must is said."""
    network.balancer.run("ip route add local default dev lo table 100")
    network.balancer.run("ip rule add fwmark 1 lookup 100")
    evenpost = transparent_before(server_of("IPv4"))
    why = "s1: replies of 10.82.0.2 end here if the firewall marks them 0x1"
    (line,) = evenpost.wait_event("transparent")
    assert (line["level"], line["why"]) == ("info", why)
    assert not logged(evenpost)


def test_a_server_that_has_a_name(network, scripted_servers, transparent_before):
    """What it lacks is known when its address is: here it is the balancer itself."""
    with network.balancer.inside():
        (server,) = scripted_servers(1, port=25)

    class Named:
        address = "localhost:25"

    evenpost = transparent_before(Named, pool={"health": {"probe": "none"}}, ready=False)
    (line,) = evenpost.wait_event("fault")
    assert "no route keeps replies here: ip " in line["why"]
    assert " iif lo from " in line["why"]
