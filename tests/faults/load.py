"""Clients that send numbered messages over and over, and remember every answer."""

import collections
import hashlib
import random
import threading

from harness.mail import dot_stuffed, make_message
from harness.raw_client import RawClient
from harness.waiting import wait_until

RECIPIENTS = 2

# Most are short; some fill every buffer, all are below retry.buffer.
_SIZES = (200, 200, 200, 2000, 2000, 20000, 20000, 300000)


class Refused(Exception):
    """An answer that this client should not have had."""


class NotYet(Exception):
    """451 4.3.2: no server is known to be up, as just after a start."""


class Load:
    """Threads with a connection each, from start() to stop().

    accepted[number] is how many 250s a message had after its data, ambiguous[number]
    how many 451 4.4.2; such a message is sent again, as any client would. errors has
    every other refusal, and every lost connection. A tolerant client expects evenpost to
    die: it comes back with the same message, also while evenpost knows no server yet
    (451 4.3.2), and unanswered[number] counts how often the answer to its data was lost.
    """

    def __init__(self, port, connections=8, tolerant=False, seed=1):
        self.port = port
        self.tolerant = tolerant
        self.accepted = collections.Counter()
        self.ambiguous = collections.Counter()
        self.unanswered = collections.Counter()
        self.errors = []
        self.digests = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(random.Random(seed * 1000 + n),))
            for n in range(connections)
        ]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """Let each client finish its message; returns when all have."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive(), "a client hangs"

    def wait_accepted(self, more):
        """Wait until that many more messages are accepted, or anything went wrong."""
        goal = len(self.accepted) + more
        wait_until(
            lambda: self.errors or len(self.accepted) >= goal,
            f"{more} more accepted messages ({len(self.accepted)} so far)",
        )
        assert not self.errors, self.errors[:5]

    def _run(self, source):
        """One client: until the end, connection after connection."""
        number, message = self._compose(source)
        while not self._stopping.is_set():
            try:
                with RawClient(self.port) as client:
                    client.hello()
                    while not self._stopping.is_set():
                        if self._send(client, number, message, source):
                            number, message = self._compose(source)
                    client.command("QUIT", 221)
            except (EOFError, OSError, NotYet) as error:
                if not self.tolerant:
                    self._fail(number, repr(error))
                    return
                self._stopping.wait(0.02)
            except (Refused, AssertionError) as error:
                self._fail(number, repr(error))
                return

    def _compose(self, source):
        body = b".a line that begins with a dot\r\n"
        body += source.randbytes(source.choice(_SIZES)).hex(" ", 32).encode()
        with self._lock:
            number = len(self.digests) + 1
            message = make_message(number, body.replace(b" ", b"\r\n") + b"\r\n")
            self.digests[number] = hashlib.sha256(message).hexdigest()
        return number, message

    def _send(self, client, number, message, source):
        """One transaction; true when the message is accepted."""
        commands = ["MAIL FROM:<ann@a.example>"]
        commands += [f"RCPT TO:<user{n}@b.example>" for n in range(RECIPIENTS)]
        commands += ["DATA"]
        octets = [command.encode() + b"\r\n" for command in commands]
        if source.random() < 0.5:
            client.send(b"".join(octets))
            replies = [client.read_reply() for _ in octets]
        else:
            replies = []
            for command in octets:
                client.send(command)
                replies.append(client.read_reply())
        for command, reply in zip(commands, replies):
            if reply.lines[-1].startswith("451 4.3.2 "):
                raise NotYet(f"{command}: {reply!r}")
            if reply.code != (354 if command == "DATA" else 250):
                raise Refused(f"{command}: {reply!r}")
        return self._finish(client, number, dot_stuffed(message))

    def _finish(self, client, number, octets):
        """Send the content and judge the answer to it."""
        try:
            client.send(octets)
            reply = client.read_reply()
        except (EOFError, OSError):
            with self._lock:
                self.unanswered[number] += 1
            raise
        with self._lock:
            if reply.code == 250:
                self.accepted[number] += 1
                return True
            if reply.lines[-1].startswith("451 4.4.2 "):
                self.ambiguous[number] += 1
                return False
        raise Refused(f"end of data: {reply!r}")

    def _fail(self, number, what):
        with self._lock:
            self.errors.append(f"message {number}: {what}")
