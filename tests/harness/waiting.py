"""Waiting for events, and finding free ports."""

import random
import socket
import time

LIMIT = 30.0
_PAUSE = 0.01
_given = set()


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


def free_port():
    """A TCP port of 127.0.0.1 that nobody listens on, and that nobody was given.

    Below those that the kernel gives to connections, so that none takes it first.
    """
    while True:
        port = random.randrange(10000, 32768)
        if port in _given:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port


def has_greeting(port, preamble=b"", host="127.0.0.1"):
    """Whether an SMTP server greets on the port, after preamble; leaves politely."""
    try:
        with socket.create_connection((host, port), timeout=5) as connection:
            connection.sendall(preamble)
            greeting = connection.recv(4096)
            connection.sendall(b"QUIT\r\n")
            connection.recv(4096)
            return greeting.startswith(b"220")
    except OSError:
        return False
