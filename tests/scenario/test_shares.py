"""How messages are shared out: design "Choosing a server", through the whole program.

The servers are evenpost-sink; what they have counted themselves is the truth.
"""

import collections

import pytest

from harness.evenpost import PROBED_ONCE, Evenpost, configure_pool
from harness.raw_client import RawClient
from harness.tools import Sink, run_load


@pytest.fixture
def sinks(scratch):
    """Starts servers; the fixture's value makes so many."""
    started = []

    def start(count, *options):
        made = [Sink(scratch, *options).start() for _ in range(count)]
        started.extend(made)
        return made

    yield start
    for sink in started:
        if sink.is_alive():
            sink.stop()


@pytest.fixture
def before(scratch):
    """Starts an evenpost before servers: {name: address or long form}.

    The sinks count the connection of the one probe, too.
    """
    started = []

    def start(servers, workers=2, pool=None, **listener):
        hubs = configure_pool(servers, **{"health": PROBED_ONCE, **(pool or {})})
        started.append(
            Evenpost(scratch, {"hubs": hubs}, {"inbound": listener}, workers=workers)
        )
        return started[-1].start()

    yield start
    for evenpost in started:
        evenpost.stop()


def named(sinks, *keys):
    """{s1: address or long form, ...}; keys: further keys of each."""
    return {
        f"s{n}": {"address": sink.address, **key}
        for n, (sink, key) in enumerate(zip(sinks, keys or [{}] * len(sinks)), 1)
    }


def counts(sinks):
    return [sink.totals()["messages"] for sink in sinks]


def load(evenpost, messages, connections=2, *options):
    report = run_load(
        f"127.0.0.1:{evenpost.port}", "-n", messages, "-c", connections, *options
    )
    assert report.status == 0, report.report


@pytest.mark.threads
@pytest.mark.parametrize("workers", [1, 2])
def test_equal_servers(sinks, before, workers):
    """Promise 2: 3 servers, 3,000 messages, 2 connections: at most 1 apart."""
    servers = sinks(3)
    evenpost = before(named(servers), workers)
    load(evenpost, 3000, 2)
    shares = counts(servers)
    assert sum(shares) == 3000
    assert max(shares) - min(shares) <= 1, shares
    assert list(evenpost.messages().values()) == shares


@pytest.mark.threads
@pytest.mark.parametrize("workers", [1, 2])
def test_weights(sinks, before, workers):
    """Weights 5:3:2: exact to one message."""
    servers = sinks(3)
    evenpost = before(
        named(servers, {"weight": 5}, {"weight": 3}, {"weight": 2}), workers
    )
    load(evenpost, 2000, 2)
    shares = counts(servers)
    wanted = [1000, 600, 400]
    assert sum(shares) == 2000
    assert all(abs(a - b) <= 1 for a, b in zip(shares, wanted)), shares


@pytest.mark.threads
def test_pipelined_and_many_connections(sinks, before):
    """The same for many short sessions at once, pipelined."""
    servers = sinks(3)
    evenpost = before(named(servers))
    load(evenpost, 900, 30, "-m", 3, "-p")
    shares = counts(servers)
    assert sum(shares) == 900
    assert max(shares) - min(shares) <= 1, shares


def test_weight_zero(sinks, before):
    """Weight 0 is a drain: nothing for it."""
    servers = sinks(3)
    evenpost = before(named(servers, {}, {"weight": 0}, {}))
    load(evenpost, 100)
    assert counts(servers) == [50, 0, 50]


def test_preference(sinks, before):
    """Like MX: the lower preference alone, while one of it is up; then the next."""
    servers = sinks(4)
    keys = [{"preference": p} for p in (10, 10, 20, 20)]
    evenpost = before(
        named(servers, *keys),
        pool={
            "health": {
                **PROBED_ONCE,
                "interval": "100ms",
                "down-interval": "100ms",
            }
        },
    )
    load(evenpost, 100)
    assert counts(servers) == [50, 50, 0, 0]
    for number in (1, 2):
        servers[number - 1].terminate()
        evenpost.wait_state(f"s{number}", "down")
    load(evenpost, 100)
    assert counts(servers[2:]) == [50, 50]


def test_least_connections(sinks, before):
    """Who has fewest transactions in flight, by weight, gets the next."""
    servers = sinks(2)
    evenpost = before(
        named(servers, {"weight": 2}, {}), 1, {"balance": "least-connections"}
    )
    clients = [RawClient(evenpost.port) for _ in range(9)]
    for client in clients:
        client.hello()
        client.command("MAIL FROM:<ann@a.example>", 250)
        client.command("RCPT TO:<bob@b.example>", 250)
    active = [server["active"] for server in evenpost.pools()["hubs"].values()]
    assert active == [6, 3]
    for client in clients:
        client.close()


@pytest.mark.threads
def test_random(sinks, before):
    """The better of two by chance: nobody is left out, nobody gets most."""
    servers = sinks(3)
    evenpost = before(named(servers), pool={"balance": "random"})
    load(evenpost, 600, 6)
    shares = counts(servers)
    assert sum(shares) == 600
    assert min(shares) > 100, shares


def test_response_time(sinks, before):
    """A server that takes long to answer gets less than a quick one."""
    (quick,) = sinks(1)
    (slow,) = sinks(1, "--fault", "end=delay:300ms")
    evenpost = before(named([quick, slow]), pool={"balance": "response-time"})
    load(evenpost, 300, 4)
    shares = counts([quick, slow])
    assert sum(shares) == 300
    assert shares[0] > 2 * shares[1], shares


def homes_of(evenpost, sends):
    """{key: the servers that its messages went to}"""
    homes = collections.defaultdict(set)
    for key, do_send in sends:
        before_it = evenpost.messages()
        do_send()
        after = evenpost.messages()
        homes[key] |= {name for name in after if after[name] > before_it[name]}
    return homes


@pytest.mark.parametrize(
    "hash_on, vary",
    [
        ("recipient", lambda n: {"recipient": f"user{n}@b.example"}),
        ("recipient-domain", lambda n: {"recipient": f"bob@b{n}.example"}),
        ("sender", lambda n: {"sender": f"user{n}@a.example"}),
        ("sender-domain", lambda n: {"sender": f"ann@a{n}.example"}),
    ],
)
def test_hash(sinks, before, hash_on, vary):
    """balance: hash: a key has one home, and the keys have several."""
    servers = sinks(3)
    evenpost = before(named(servers), 1, {"balance": "hash", "hash-on": hash_on})
    with RawClient(evenpost.port) as client:
        client.hello()
        homes = homes_of(
            evenpost,
            [
                (n, lambda n=n: client.send_message(**vary(n)))
                for _ in range(2)
                for n in range(20)
            ],
        )
    assert all(len(home) == 1 for home in homes.values()), homes
    assert len(set.union(*homes.values())) == 3, homes


def test_hash_on_helo(sinks, before):
    """The client's name as the key."""
    servers = sinks(3)
    evenpost = before(named(servers), 1, {"balance": "hash", "hash-on": "helo"})

    def session(name):
        with RawClient(evenpost.port) as client:
            client.hello(name)
            client.send_message()

    names = [f"client{n}.example" for n in range(20)] * 2
    homes = homes_of(evenpost, [(name, lambda n=name: session(n)) for name in names])
    assert all(len(home) == 1 for home in homes.values()), homes
    assert len(set.union(*homes.values())) > 1, homes


def test_source(sinks, before):
    """balance: source: all of one client's messages on one server."""
    servers = sinks(3)
    evenpost = before(named(servers), pool={"balance": "source"})
    load(evenpost, 60, 3)
    assert sorted(counts(servers)) == [0, 0, 60]


@pytest.mark.threads
def test_cap_is_never_exceeded(sinks, before):
    """max-connections over two workers: no server ever sees one more."""
    # A sink turns away what is above its own cap; nothing is probed.
    servers = sinks(2, "--max-connections", 3, "--fault", "end=delay:5ms")
    evenpost = before(
        named(servers, {"max-connections": 3}, {"max-connections": 3}),
        pool={"health": {"probe": "none"}},
    )
    load(evenpost, 400, 40, "-m", 4)
    totals = [server.totals() for server in servers]
    assert [t["turned_away"] for t in totals] == [0, 0], totals
    assert sum(t["messages"] for t in totals) == 400
    # Workers hand places to each other, but not with each message.
    assert all(t["connections"] < 100 for t in totals), totals


@pytest.mark.threads
def test_queue_is_over(sinks, before):
    """More at once than the servers take in pool.queue: 451, nothing else."""
    servers = sinks(1, "--fault", "end=silence@1")
    evenpost = before(
        named(servers, {"max-connections": 1}),
        pool={"health": {"probe": "none"}, "queue": "100ms"},
    )
    with RawClient(evenpost.port) as first:
        first.hello()
        first.command("MAIL FROM:<ann@a.example>", 250)
        first.command("RCPT TO:<bob@b.example>", 250)
        report = run_load(f"127.0.0.1:{evenpost.port}", "-n", 10, "-c", 10)
        assert report.failures == {"rcpt 451 4.3.2": 10}, report.report
        first.command("RSET", 250)
        first.command("QUIT", 221)


@pytest.mark.threads
def test_idle_connections_of_another_worker(sinks, before):
    """A worker that waits gets the place that another one keeps warm."""
    servers = sinks(1, "--max-connections", 1)
    evenpost = before(
        named(servers, {"max-connections": 1}), pool={"health": {"probe": "none"}}
    )
    # Each session lands on either worker.
    load(evenpost, 40, 4, "-m", 1)
    assert servers[0].totals()["turned_away"] == 0
    assert counts(servers) == [40]
