"""A server that knows no protocol: each connection is handled by a function."""

import socket
import threading

from harness.waiting import LIMIT


class ByteServer:
    """Calls handle(connected socket) in a thread for each connection."""

    def __init__(self, handle):
        self.handle = handle
        self.connections = 0
        self.stopped = False
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def _accept(self):
        while True:
            try:
                connected, _ = self.listener.accept()
            except OSError:
                return
            if self.stopped:
                connected.close()
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connected,), daemon=True).start()

    def _serve(self, connected):
        connected.settimeout(LIMIT * 4)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self.handle(connected)
        except OSError:
            pass
        finally:
            connected.close()

    def stop(self):
        self.stopped = True
        self.listener.close()


def echo(connected):
    """Sends back what it gets, and its end."""
    while octets := connected.recv(65536):
        connected.sendall(octets)
    connected.shutdown(socket.SHUT_WR)


def read_exactly(connected, count):
    octets = b""
    while len(octets) < count:
        part = connected.recv(count - len(octets))
        if not part:
            break
        octets += part
    return octets


def read_to_end(connected):
    parts = []
    while part := connected.recv(65536):
        parts.append(part)
    return b"".join(parts)
