"""Waiting for events, and finding free ports."""

import socket
import time

LIMIT = 30.0
_PAUSE = 0.01


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
    """A TCP port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def has_greeting(port):
    """Whether an SMTP server greets on the port; leaves it politely."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            greeting = connection.recv(4096)
            connection.sendall(b"QUIT\r\n")
            connection.recv(4096)
            return greeting.startswith(b"220")
    except OSError:
        return False
