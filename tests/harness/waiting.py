"""Waiting for events, and finding free ports."""

import itertools
import random
import socket
import time

LIMIT = 30.0
_PAUSE = 0.01

# Of ports that one process of tests gives. They are below those that the kernel gives to
# connections, so that none takes one that is free for a moment.
_RANGES = range(10000, 32000, 1000)
_claim = None
_ports = iter(())


def wait_until(condition, what, limit=LIMIT):
    """Call condition until its result is true and return that result.

    what completes the sentence "timed out waiting for ...".
    """
    deadline = time.monotonic() + limit
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"timed out waiting for {what}")
        time.sleep(_PAUSE)


def _claim_ports():
    """A range that no other process of tests has: a name that is bound says whose it
    is, and is free again when the process ends."""
    global _claim, _ports
    for first in random.sample(_RANGES, len(_RANGES)):
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0evenpost-tests-{first}")
        except OSError:
            claim.close()
            continue
        _claim, _ports = claim, itertools.cycle(range(first, first + _RANGES.step))
        return
    raise AssertionError("other tests have all the ports")


def free_port():
    """A TCP port of 127.0.0.1 that nobody listens on, and that nobody was given for long.

    It stays free until it is used: whoever closes it can have it again.
    """
    if not _claim:
        _claim_ports()
    for port in itertools.islice(_ports, _RANGES.step):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise AssertionError(f"no port is free of {_RANGES.step}")


def has_greeting(port, preamble=b"", host="127.0.0.1"):
    """Whether an SMTP server greets on the port, after preamble; leaves politely."""
    try:
        with socket.create_connection((host, port), timeout=LIMIT) as connection:
            connection.sendall(preamble)
            greeting = connection.recv(4096)
            connection.sendall(b"QUIT\r\n")
            connection.recv(4096)
            return greeting.startswith(b"220")
    except OSError:
        return False
