"""The first promise: what the client heard 250 for is on exactly one server.

Servers, and evenpost itself, are killed with SIGKILL and started again under load. A
server's journal is the truth: a line is on disk before the server says 250.
"""

import collections
import random
import signal

import pytest

from harness.evenpost import EAGER_HEALTH, Evenpost, configure_pool
from journal import JournalServer
from load import RECIPIENTS, Load

ROUNDS = 12

# A server that is back is used again before the next one dies.
EAGER_RETURN = {"failures": 5, "eject": "20ms", "max-ejected": "50%"}


@pytest.fixture
def servers(scratch):
    made = [JournalServer(scratch, name).start() for name in ("one", "two", "three")]
    yield made
    for server in made:
        server.kill()


@pytest.fixture
def start_evenpost(scratch, servers):
    """Starts an evenpost before the servers, with further keys of the pool."""
    started = []

    def start(**keys):
        keys = {"passive": EAGER_RETURN, **keys}
        pool = configure_pool({s.name: s.address for s in servers}, **keys)
        as_it_is = {"inbound": {"add-received": "never"}}
        started.append(Evenpost(scratch, {"hubs": pool}, as_it_is))
        return started[-1].start()

    yield start
    for evenpost in started:
        evenpost.stop()


def check_kept(load, servers):
    """Compare what the clients heard with what the servers have."""
    copies = collections.Counter()
    homes = collections.defaultdict(set)
    for server in servers:
        for entry in server.entries():
            assert entry.digest == load.digests[entry.number], f"{entry} was changed"
            assert entry.recipients == RECIPIENTS, entry
            copies[entry.number] += 1
            homes[entry.number].add(server.name)
    for number, heard in load.accepted.items():
        assert heard == 1
        doubtful = load.ambiguous[number] + load.unanswered[number]
        if doubtful:
            assert 1 <= copies[number] <= 1 + doubtful, f"message {number}"
        else:
            assert copies[number] == 1, f"message {number} is on {homes[number]}"
    for number in copies:
        known = load.accepted[number] + load.ambiguous[number] + load.unanswered[number]
        assert known, f"message {number} was kept, but its client heard nothing of it"


def test_servers_are_killed(start_evenpost, servers):
    """One or two of three die at once, whatever they are doing; no client notices."""
    evenpost = start_evenpost()
    choice = random.Random(2)
    with Load(evenpost.port) as load:
        for _ in range(ROUNDS):
            load.wait_accepted(choice.randrange(20, 80))
            victims = choice.sample(servers, choice.choice((1, 1, 2)))
            for victim in victims:
                victim.kill()
            load.wait_accepted(choice.randrange(5, 80))
            for victim in victims:
                victim.start()
            for victim in victims:
                evenpost.wait_state(victim.name, "up")
    assert not load.errors, load.errors[:5]
    check_kept(load, servers)
    assert sum(evenpost.messages().values()) == len(load.accepted)
    evenpost.stop()  # whose log is whole then
    ambiguous = evenpost.log_events("message", result="ambiguous")
    assert len(ambiguous) == sum(load.ambiguous.values())


def test_servers_hang(start_evenpost, servers):
    """A server that falls silent and goes on later: others serve, nothing is lost."""
    evenpost = start_evenpost(
        timeouts=dict.fromkeys(("greeting", "command", "data", "end"), "3s"),
        health={**EAGER_HEALTH, "timeout": "3s"},
    )
    choice = random.Random(3)
    with Load(evenpost.port, seed=3) as load:
        for _ in range(3):
            load.wait_accepted(choice.randrange(20, 80))
            victim = choice.choice(servers)
            victim.program.signal(signal.SIGSTOP)
            load.wait_accepted(50)
            victim.program.signal(signal.SIGCONT)
            evenpost.wait_state(victim.name, "up")
    assert not load.errors, load.errors[:5]
    check_kept(load, servers)


def test_evenpost_is_killed(start_evenpost, servers):
    """The clients' connections break; nothing accepted is missing or double."""
    evenpost = start_evenpost()
    choice = random.Random(4)
    with Load(evenpost.port, tolerant=True, seed=4) as load:
        for _ in range(ROUNDS // 2):
            load.wait_accepted(choice.randrange(20, 150))
            evenpost.kill()
            evenpost.start()
        load.wait_accepted(100)
    assert not load.errors, load.errors[:5]
    check_kept(load, servers)


def test_evenpost_is_stopped(start_evenpost, servers):
    """SIGTERM: transactions in flight end with their 250, then 421; exit status 0."""
    evenpost = start_evenpost()
    with Load(evenpost.port, tolerant=True, seed=5) as load:
        load.wait_accepted(200)
        evenpost.stop()
    check_kept(load, servers)
    assert not load.unanswered, "a transaction in flight was cut off"
    for error in load.errors:
        assert "421 4.3.2" in error, error
