"""Several listeners and several pools: each listener's mail goes to its own pool."""

import socket

import pytest

from harness.evenpost import Evenpost, configure_pool
from harness.raw_client import RawClient, send_one
from harness.waiting import LIMIT, free_port


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False


@pytest.mark.threads
def test_each_listener_has_its_pool(scratch, scripted_servers):
    """Several listeners and several pools, with limits of their own."""
    first, second = scripted_servers(2)
    evenpost = Evenpost(
        scratch,
        {
            "hubs": configure_pool({"one": first.address}),
            "bulk": configure_pool({"one": second.address}),
        },
        {
            "inbound": {"pool": "hubs", "max-message-size": "10k"},
            "outbound": {"pool": "bulk", "max-message-size": "20k"},
        },
    ).start()
    for listener, size in (("inbound", "10240"), ("outbound", "20480")):
        with RawClient(evenpost.ports[listener]) as client:
            assert client.hello()["SIZE"] == size
            client.command("QUIT", 221)
    for _ in range(3):
        send_one(evenpost.ports["outbound"])
    assert (len(first.messages), len(second.messages)) == (0, 3)
    assert evenpost.messages("bulk") == {"one": 3}
    (message, *_) = evenpost.wait_event("message", count=3)
    assert (message["listener"], message["pool"]) == ("outbound", "bulk")
    evenpost.stop()


def test_a_port_that_another_evenpost_has(scratch, scripted_servers):
    """A second one is refused, and takes none of the first one's clients."""
    (server,) = scripted_servers(1)
    pools = {"hubs": configure_pool({"one": server.address})}
    first = Evenpost(scratch, pools).start()
    listeners = {"inbound": {"bind": f"127.0.0.1:{first.port}"}}
    second = Evenpost(scratch, pools, listeners, name="second").start(ready=False)
    assert second.program.process.wait(LIMIT) == 71
    assert f"127.0.0.1:{first.port}: Address already in use" in second.program.log()
    first.stop()


@pytest.mark.skipif(not has_ipv6(), reason="the machine has no IPv6")
def test_several_addresses(scratch, scripted_servers):
    """bind is a list; an IPv6 client is logged with its address."""
    (server,) = scripted_servers(1)
    port = free_port()
    evenpost = Evenpost(
        scratch,
        {"hubs": configure_pool({"one": server.address})},
        {"inbound": {"bind": [f"127.0.0.1:{port}", f"[::1]:{port}"]}},
    ).start()
    for host in ("127.0.0.1", "::1"):
        send_one(port, host=host)
    clients = {m["client"] for m in evenpost.wait_event("message", count=2)}
    assert clients == {"127.0.0.1", "::1"}
    evenpost.stop()
