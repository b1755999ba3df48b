"""Real servers for the whole suite: four behind one evenpost, and four that are told
the client's address."""

import pytest

from harness.addressed import (
    AddressedDovecot,
    AddressedExim,
    AddressedOpenSMTPD,
    AddressedPostfix,
)
from harness.evenpost import Evenpost, configure_pool
from harness.exim import Exim
from harness.opensmtpd import OpenSMTPD
from harness.peer import missing_peers
from harness.postfix import Postfix
from harness.scratch import make_scratch, remove_scratch
from harness.waiting import wait_until

# 50 MB are 50 MiB of body and a header.
_ROOM = "60m"


class Farm:
    """Two Postfix, an Exim and an OpenSMTPD, and two listeners of one evenpost.

    The listener all has every server behind it. utf8 has only those that can do
    SMTPUTF8, which OpenSMTPD cannot.
    """

    def __init__(self, directory):
        self.servers = {
            "postfix1": Postfix(directory, "postfix1"),
            "postfix2": Postfix(directory, "postfix2"),
            "exim": Exim(directory, "exim"),
            "opensmtpd": OpenSMTPD(directory, "opensmtpd"),
        }
        self.addresses = {name: s.address for name, s in self.servers.items()}
        with_utf8 = {n: a for n, a in self.addresses.items() if n != "opensmtpd"}
        self.evenpost = Evenpost(
            directory,
            {
                "all": configure_pool(self.addresses),
                "utf8": configure_pool(with_utf8),
            },
            {
                "all": {"pool": "all", "max-message-size": _ROOM},
                "utf8": {"pool": "utf8", "max-message-size": _ROOM},
            },
        )
        self._number = 0

    def start(self):
        for server in self.servers.values():
            server.start()
        self.evenpost.start()

    def stop(self):
        try:
            self.evenpost.stop()
        finally:
            for server in self.servers.values():
                server.stop()

    def next_number(self):
        """A number that no other message of the suite has."""
        self._number += 1
        return self._number

    def stored(self, number):
        """{server name: its copies of the message}, without servers that have none."""
        found = {name: s.mail.numbered(number) for name, s in self.servers.items()}
        return {name: copies for name, copies in found.items() if copies}

    def wait_stored(self, number, copies=1):
        """Wait until that many copies are delivered; the server's name, the copies."""

        def complete():
            stored = self.stored(number)
            return stored if sum(map(len, stored.values())) >= copies else None

        stored = wait_until(complete, f"{copies} copies of message {number}")
        assert len(stored) == 1, f"message {number} is on {sorted(stored)}"
        ((name, found),) = stored.items()
        assert len(found) == copies, f"{len(found)} copies of message {number}"
        return name, found

    def wait_each_has(self, number, copies):
        """Wait until each server has that many copies; {server name: the copies}."""

        def complete():
            stored = self.stored(number)
            counts = [len(stored.get(name, [])) for name in self.servers]
            return stored if counts == [copies] * len(counts) else None

        return wait_until(complete, f"{copies} copies of {number} on each server")


@pytest.fixture(scope="session")
def peers():
    """Fails, with what to do about it, where scripts/peers has not been run."""
    missing = missing_peers()
    assert not missing, missing


@pytest.fixture(scope="session")
def farm(peers):
    directory = make_scratch()
    servers = Farm(directory)
    try:
        servers.start()
        yield servers
    finally:
        servers.stop()
        remove_scratch(directory)


@pytest.fixture(scope="session")
def addressed(peers):
    """{name: server}: each can be told the client's address, and its log tells it."""
    directory = make_scratch()
    postfix = AddressedPostfix(directory, "postfix")
    servers = {
        "postfix": postfix,
        "exim": AddressedExim(directory, "exim"),
        "opensmtpd": AddressedOpenSMTPD(directory, "opensmtpd"),
        "dovecot": AddressedDovecot(directory, "dovecot", postfix.ports["listed"]),
    }
    try:
        for server in servers.values():
            server.start()
        yield servers
    finally:
        for server in servers.values():
            server.stop()
        remove_scratch(directory)


@pytest.fixture(scope="module")
def start_evenpost():
    """start_evenpost(pools, listeners): runs until the end of the module."""
    directory, started = make_scratch(), []

    def start(pools, listeners, ready=True, **top):
        name = f"evenpost{len(started)}"
        # No test asks a resolver for the name of a client.
        top.setdefault("dns", {"client-names": False})
        evenpost = Evenpost(directory, pools, listeners, name=name, **top)
        started.append(evenpost)
        return evenpost.start(ready)

    yield start
    for evenpost in started:
        evenpost.stop()
    remove_scratch(directory)
