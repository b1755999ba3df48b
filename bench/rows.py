"""The rows: what is sent through whom to whom, and what is measured.

In each row all programs run side by side, idle but for the one whose turn it is:
A B C A B C ..., so that a noisy minute on the machine spoils no one program.
"""

import contextlib
import dataclasses
import functools
import tempfile
import time

import machine
from balancers import (
    ConnectionEvenpost,
    Direct,
    EncryptingEvenpost,
    Evenpost,
    Haproxy,
    HaproxyProxy,
    HaproxySplice,
    LoggingEvenpost,
    NginxMail,
    NginxStream,
    ProxyEvenpost,
    StarttlsEvenpost,
    StarttlsNginxMail,
    XclientEvenpost,
)
from finding import Aim, Finding, Result
from load import EvenpostLoad, SmtpSource
from servers import DiscardingPostfix, EncryptingPostfix, Sinks, SmtpSinks, ToldSinks
from sessions import IdleSessions

# Time to close what a run has left open; seconds.
_SETTLE = 0.15


@contextlib.contextmanager
def running(scratch, server_type, balancer_types):
    """The servers and, before them, the balancers; all ended at the end."""
    directory = tempfile.mkdtemp(dir=scratch)
    with contextlib.ExitStack() as stack:
        server = server_type(directory)
        stack.callback(server.stop)
        server.start()
        balancers = [balancer(directory, server) for balancer in balancer_types]
        for balancer in balancers:
            stack.callback(balancer.stop)
            balancer.start()
        yield server, balancers, directory


class Turns:
    """What the programs have done, in the order of their turns."""

    def __init__(self):
        self.samples = {}
        self.failed = {}

    def add(self, program, sent, **numbers):
        for what, number in numbers.items():
            self.samples.setdefault(what, {}).setdefault(program, []).append(number)
        if sent.failures:
            self.failed[program] = self.failed.get(program, 0) + sent.failures

    def __getitem__(self, what):
        return self.samples.get(what, {})


def take_turn(balancer, generator, directory, seconds):
    """(what was sent, the balancer's CPU seconds for it)"""
    before = balancer.cpu_seconds()
    sent = generator.send(balancer.address, directory, seconds)
    time.sleep(_SETTLE)
    return sent, balancer.cpu_seconds() - before


@dataclasses.dataclass(frozen=True)
class CpuRow:
    """The balancer's CPU time for a unit, as fast as it goes."""

    name: str
    title: str
    generator: object
    balancers: tuple
    aim: Aim = None
    p99_aim: Aim = None
    servers: type = Sinks
    subject: str = "evenpost"
    also: tuple = ()  # held against these too, without an aim
    megabytes: int = None  # of a message: the time is told for one of them

    def measure(self, scratch, pace):
        turns = Turns()
        with running(scratch, self.servers, self.balancers) as (_, balancers, directory):
            for _ in range(pace.runs):
                for balancer in balancers:
                    sent, cpu = take_turn(
                        balancer, self.generator, directory, pace.seconds
                    )
                    turns.add(
                        balancer.name,
                        sent,
                        cpu=cpu * 1e6 / max(sent.units, 1) / (self.megabytes or 1),
                        rate=sent.units / sent.seconds,
                    )
                    if sent.p99_ms is not None:
                        turns.add(balancer.name, sent, p99=sent.p99_ms)
        return self.result(turns)

    def result(self, turns):
        result = Result(self.name, [self.finding(turns["cpu"])], failed=turns.failed)
        p99 = Finding(
            f"p99 of a session: {self.title}",
            "ms",
            turns["p99"],
            self.p99_aim,
            self.subject,
        )
        if self.p99_aim:
            result.findings.append(p99)
        result.beside.append(
            Finding(self.title, "a second", turns["rate"], subject=self.subject)
        )
        if turns["p99"] and not self.p99_aim:
            result.beside.append(p99)
        return result

    def finding(self, samples):
        unit = "CPU µs a MB" if self.megabytes else "CPU µs"
        return Finding(self.title, unit, samples, self.aim, self.subject, self.also)


@dataclasses.dataclass(frozen=True)
class HandshakeRow:
    """Handshakes of TLS in a second of the balancer's CPU time, as fast as it goes.

    A handshake is a whole session: connect, greeting, EHLO, STARTTLS, EHLO, QUIT.
    """

    name: str
    title: str
    load: str
    balancers: tuple
    aim: Aim

    def measure(self, scratch, pace):
        turns = Turns()
        generator = EvenpostLoad(self.load)
        with running(scratch, Sinks, self.balancers) as (_, balancers, directory):
            for _ in range(pace.runs):
                for balancer in balancers:
                    sent, cpu = take_turn(balancer, generator, directory, pace.seconds)
                    self.check(sent)
                    turns.add(
                        balancer.name,
                        sent,
                        each_core=sent.units / cpu,
                        cpu=cpu * 1e6 / max(sent.units, 1),
                        rate=sent.units / sent.seconds,
                    )
        return Result(
            self.name,
            [Finding(self.title, "a CPU second", turns["each_core"], self.aim)],
            [
                Finding(self.title, "CPU µs", turns["cpu"]),
                Finding(self.title, "a second", turns["rate"]),
            ],
            turns.failed,
        )

    def check(self, sent):
        """The first of each connection is a whole one."""
        wanted = "--tls-resume" in self.load
        assert (sent.resumed > sent.units / 2) == wanted, f"{self.name}: {sent}"


@dataclasses.dataclass(frozen=True)
class IdleRow:
    """What a session costs that has greeted and waits."""

    name: str
    title: str
    sessions: int
    balancers: tuple
    memory_aim: Aim = None
    sockets_aim: Aim = None
    subject: str = "evenpost"
    also: tuple = ()
    options: tuple = ()  # what the clients do before they wait

    def measure(self, scratch, pace):
        samples = {"memory": {}, "sockets": {}, "kernel": {}}
        # A process that has grown once has the memory: each run needs new ones.
        for _ in range(min(pace.runs, 3)):
            self.measure_once(scratch, samples)
        memory = self.finding("user memory", "bytes", samples["memory"], self.memory_aim)
        memory.also = self.also
        sockets = self.finding(
            "sockets held", "sockets", samples["sockets"], self.sockets_aim
        )
        kernel = self.finding("kernel memory", "bytes", samples["kernel"])
        return Result(self.name, [memory, sockets], [kernel])

    def finding(self, what, unit, samples, aim=None):
        return Finding(f"{self.title}: {what}", unit, samples, aim, self.subject)

    def measure_once(self, scratch, samples):
        with running(scratch, Sinks, self.balancers) as (sinks, balancers, directory):
            socket_bytes = self.socket_bytes(sinks, directory)
            for balancer in balancers:
                memory = machine.private_bytes(balancer.pids)
                sockets = machine.socket_count(balancer.pids)
                with IdleSessions(
                    balancer.address, self.sessions, directory, *self.options
                ):
                    memory = machine.private_bytes(balancer.pids) - memory
                    sockets = machine.socket_count(balancer.pids) - sockets
                held = round(sockets / self.sessions, 2)
                for what, number in (
                    ("memory", memory / self.sessions),
                    ("sockets", held),
                    ("kernel", held * socket_bytes),
                ):
                    samples[what].setdefault(balancer.name, []).append(number)

    def socket_bytes(self, sinks, directory):
        """What one end of a connection costs the kernel, from connections without a
        balancer, which are two ends each."""
        before = machine.socket_slab_bytes()
        with IdleSessions(sinks.addresses[0], self.sessions, directory):
            if before is None:
                return 0
            return (machine.socket_slab_bytes() - before) / self.sessions / 2


@dataclasses.dataclass(frozen=True)
class PostfixRow:
    """How fast a real server takes mail, with and without a balancer before it."""

    name: str
    title: str
    generator: object
    balancers: tuple
    aim: Aim
    server_aim: Aim = None  # of its own CPU time for a message
    servers: type = DiscardingPostfix

    def measure(self, scratch, pace):
        turns = Turns()
        with running(scratch, self.servers, self.balancers) as (
            postfix,
            balancers,
            directory,
        ):
            for _ in range(pace.runs):
                for balancer in balancers:
                    busy = machine.tree_cpu_seconds(postfix.program.pid)
                    sent, _cpu = take_turn(
                        balancer, self.generator, directory, pace.seconds
                    )
                    busy = machine.tree_cpu_seconds(postfix.program.pid) - busy
                    turns.add(
                        balancer.name,
                        sent,
                        rate=sent.units / sent.seconds,
                        server=busy * 1e6 / sent.units,
                    )
        rate = Finding(self.title, "a second", turns["rate"], self.aim)
        server = Finding(
            f"{self.title}: Postfix's own time", "CPU µs", turns["server"], self.server_aim
        )
        if self.server_aim:
            return Result(self.name, [rate, server], failed=turns.failed)
        return Result(self.name, [rate], [server], turns.failed)


_STREAMS = (Haproxy, NginxStream, Evenpost)
_ALL = (Haproxy, NginxStream, NginxMail, Evenpost)
_TUNNELS = (Haproxy, HaproxySplice, NginxStream, ConnectionEvenpost)


def _against_haproxy(bound, dominates):
    return Aim(bound, "haproxy", dominates=dominates)


_TCP = (
    "the kernel's TCP work for one accept, one short dialogue and one close; "
    "no server is involved"
)
_DIALOGUE = (
    "the kernel's TCP work for the client's connection; the server's is warm, and the "
    "rest, parsing and choosing, is 10 to 15 %"
)
_QUEUEING = (
    "waiting for a processor: generator, balancer and servers share two, and with "
    "other work on them this row says more about the scheduler than about us"
)
_ROUND_TRIPS = (
    "the kernel's TCP work for 14 reads and writes, which a client that does not "
    "pipeline and a server each need, against 16 of a proxy of bytes"
)
_GROUPS = (
    "the kernel's TCP work for eight reads and writes, as many as a proxy of bytes "
    "needs; parsing, choosing and counting come on top of it"
)
_COPIES = (
    "the kernel's two copies, and memory: up to `retry.buffer` of each message is kept "
    "to its end, where a proxy of bytes reuses one buffer that stays in the caches"
)
_SPLICES = (
    "the kernel's TCP work: pages are handed from one socket to the other, and what is "
    "left are its segments, their acknowledgements and the wake-ups"
)
_DISK = (
    "Postfix's queue, which is synced to a disk for each message: a disk that others "
    "use moves this row more than any balancer"
)


_SIGNING = (
    "the RSA signature, six tenths of the time, and the rest of OpenSSL's work, a quarter: "
    "both are the same in either program"
)
_OPENSSL = (
    "OpenSSL's work, three quarters of the time and the same in either program: X25519, "
    "which a session that is resumed needs too, a quarter; the key schedule, look-ups of "
    "algorithms and allocations. The kernel's TCP is a fifth"
)
_SESSION = (
    "what OpenSSL holds of a session: 14 KB, of which one struct is 7.6 KB and the two "
    "ciphers are 1.9 KB; evenpost's own part is 0.6 KB"
)
_MOVED = (
    "generator, balancer and Postfix share two processors: the signature that Postfix is "
    "spared is made by evenpost on the same machine"
)
_QUEUE = (
    "Postfix's queue, from cleanup to delivery, which no balancer takes from it; it is "
    "spared a connection and a handshake for each message"
)


def _tunnel(name, title, load, aim=None, **more):
    return CpuRow(
        f"connection-{name}",
        f"mode: connection: {title}",
        EvenpostLoad(load),
        _TUNNELS,
        aim,
        subject=ConnectionEvenpost.name,
        also=(Haproxy.name,) if aim else (Haproxy.name, HaproxySplice.name),
        **more,
    )


# Few clients where each sends many messages: each of them keeps a connection to each
# server, and no more than reuse.max-idle of them (16) are kept for long.
_TOLD_LOADS = (
    ("single", "1 KB, one message a connection (c = 50)", "-c 50 -m 1 -s 1k"),
    ("hundred", "1 KB, 100 messages a connection (c = 10)", "-c 10 -m 100 -s 1k"),
)


def _told(balancer, *rivals):
    """Rows against evenpost itself with identity: none, and against rivals."""
    return [
        CpuRow(
            f"{balancer.identity}-{name}",
            f"identity: {balancer.identity}: {title}",
            EvenpostLoad(load),
            (*rivals, Evenpost, balancer),
            servers=ToldSinks,
            subject=balancer.name,
            also=(Evenpost.name, *(rival.name for rival in rivals)),
        )
        for name, title, load in _TOLD_LOADS
    ]


def _handshakes(name, key, title, *more, dominates=_OPENSSL):
    """Against nginx mail, the only other one that speaks STARTTLS."""
    return HandshakeRow(
        f"handshake-{name}",
        f"STARTTLS handshakes, {title} (c = 50)",
        " ".join(["-c 50 --connect-only --tls starttls", *more]),
        tuple(
            functools.partial(balancer, keys=[key])
            for balancer in (StarttlsNginxMail, StarttlsEvenpost)
        ),
        Aim(1.2, "nginx mail", at_least=True, dominates=dominates),
    )


def _encrypted(name, title, balancers, keys, dominates):
    """STARTTLS from the client and to Postfix. nginx mail cannot open it to servers."""
    return PostfixRow(
        name,
        f"1 KB to real Postfix, STARTTLS on both legs, {title} (c = 100)",
        EvenpostLoad("-c 100 -m 1 -s 1k --tls starttls"),
        (*balancers, functools.partial(EncryptingEvenpost, keys=keys)),
        Aim(1.5, "direct", at_least=True, dominates=dominates),
        Aim(0.55, "direct", dominates=_QUEUE),
        EncryptingPostfix,
    )


ROWS = [
    CpuRow(
        "connect",
        "connect, banner, QUIT",
        EvenpostLoad("-c 50 --connect-only"),
        _ALL,
        _against_haproxy(0.40, _TCP),
    ),
    CpuRow(
        "single",
        "1 KB, one message a connection (c = 200)",
        EvenpostLoad("-c 200 -m 1 -s 1k"),
        _ALL,
        _against_haproxy(0.55, _DIALOGUE),
        p99_aim=_against_haproxy(0.6, _QUEUEING),
    ),
    CpuRow(
        "postfix-tools",
        "the same, by smtp-source to smtp-sink (c = 100)",
        SmtpSource(connections=100, size=1024, rate=3000),
        _STREAMS,
        _against_haproxy(0.55, _DIALOGUE),
        servers=SmtpSinks,
    ),
    CpuRow(
        "hundred",
        "1 KB, 100 messages a connection (c = 50)",
        EvenpostLoad("-c 50 -m 100 -s 1k"),
        _ALL,
        _against_haproxy(0.80, _ROUND_TRIPS),
    ),
    CpuRow(
        "pipelined",
        "the same, the client pipelines",
        EvenpostLoad("-c 50 -m 100 -s 1k -p"),
        _ALL,
        _against_haproxy(1.0, _GROUPS),
    ),
    CpuRow(
        "64k",
        "64 KB a message, 100 a connection (c = 20)",
        EvenpostLoad("-c 20 -m 100 -s 64k"),
        _ALL,
        _against_haproxy(0.75, _COPIES),
    ),
    CpuRow(
        "1m",
        "1 MB a message, 10 a connection (c = 10)",
        EvenpostLoad("-c 10 -m 10 -s 1m"),
        _ALL,
        _against_haproxy(0.55, _COPIES),
    ),
    CpuRow(
        "logging",
        "1 KB, one message a connection, and a line for each in a log",
        EvenpostLoad("-c 200 -m 1 -s 1k"),
        (Evenpost, LoggingEvenpost),
        Aim(1.25, "evenpost", dominates="one line formatted and handed to the log writer"),
        subject=LoggingEvenpost.name,
    ),
    *_told(ProxyEvenpost, HaproxyProxy),
    *_told(XclientEvenpost),
    _tunnel("connect", "connect, banner, QUIT", "-c 50 --connect-only"),
    _tunnel("single", "1 KB, one message a connection (c = 200)", "-c 200 -m 1 -s 1k"),
    _tunnel("hundred", "1 KB, 100 messages a connection (c = 50)", "-c 50 -m 100 -s 1k"),
    _tunnel("1m", "1 MB a message, 10 a connection (c = 10)", "-c 10 -m 10 -s 1m"),
    _tunnel(
        "10m",
        "10 MB a message (c = 4)",
        "-c 4 -m 4 -s 10m",
        Aim(0.90, HaproxySplice.name, dominates=_SPLICES),
        megabytes=10,
    ),
    IdleRow("idle", "an idle session", 4000, _ALL, Aim(1024), Aim(1)),
    _handshakes("rsa", "rsa", "RSA-2048", dominates=_SIGNING),
    _handshakes("p256", "ecdsa", "P-256"),
    _handshakes("resumed", "ecdsa", "resumed", "--tls-resume"),
    IdleRow(
        "tls-idle",
        "an idle session with TLS",
        4000,
        (StarttlsNginxMail, StarttlsEvenpost),
        Aim(16384, dominates=_SESSION),
        Aim(1),
        options=("--ehlo", "--tls", "starttls"),
    ),
    IdleRow(
        "connection-idle",
        "mode: connection: an idle session",
        4000,
        _TUNNELS,
        subject=ConnectionEvenpost.name,
        also=(Haproxy.name,),
    ),
    PostfixRow(
        "postfix",
        "1 KB to real Postfix, one message a connection (c = 100)",
        SmtpSource(connections=100, size=1024, rate=600),
        (Direct, Haproxy, Evenpost),
        Aim(1.25, "direct", at_least=True, dominates=_DISK),
    ),
    _encrypted("postfix-tls", "RSA-2048", (Direct, Haproxy), ["rsa"], _MOVED),
    _encrypted(
        "postfix-tls-p256", "evenpost with P-256 beside it", (Direct,), ["ecdsa", "rsa"], _MOVED
    ),
]
NAMES = [row.name for row in ROWS]
