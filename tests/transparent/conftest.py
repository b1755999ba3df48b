"""Three machines, and an evenpost on the one in the middle."""

import os

import pytest

from harness.network import BALANCER, SERVER, Network, endpoint
from harness.raw_client import RawClient


@pytest.fixture
def network():
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    made = Network()
    yield made
    made.remove()


@pytest.fixture
def server_of(network, scripted_servers):
    """server_of(family): a scripted server on the server's machine."""

    def make(family):
        with network.server.inside():
            return scripted_servers(1, host=SERVER[family], port=25)[0]

    return make


@pytest.fixture
def transparent_before(network, evenpost_before):
    """Starts an evenpost on the balancer's machine; its clients come to port 25."""

    def start(*servers, behind=(), pool=None, listener=None, **top):
        """behind: what stands between the machine and the program."""
        bind = [endpoint(address) for address in BALANCER.values()]
        return evenpost_before(
            *servers,
            pool={"identity": "transparent", **(pool or {})},
            listener={"bind": bind, **(listener or {})},
            launcher=[*network.balancer.launcher, *behind],
            by_socket=True,
            **top,
        )

    return start


@pytest.fixture
def connect(network):
    """connect(address): a client of the client's machine that comes from there."""
    clients = []

    def make(address):
        family = "IPv6" if ":" in address else "IPv4"
        with network.client.inside():
            client = RawClient(25, BALANCER[family], source=address)
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()
