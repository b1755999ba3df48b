"""A client that sends exactly the bytes it is told, split as it is told."""

import socket
import struct

from harness.waiting import LIMIT

SENDER, RECIPIENT = "ann@a.example", "bob@b.example"
CONTENT = b"Subject: a\r\n\r\nb\r\n"


class Reply:
    """One reply, with all its lines."""

    def __init__(self, raw):
        self.raw = raw
        self.lines = raw.decode("utf-8", "replace").splitlines()
        self.code = int(self.lines[-1][:3])

    @property
    def text(self):
        """The last line without its code."""
        return self.lines[-1][4:]

    def __repr__(self):
        return repr(self.raw)


class RawClient:
    """One connection. Closed at the end of a with block."""

    def __init__(self, port, host="127.0.0.1", limit=LIMIT, source=None):
        """source: the address that it connects from."""
        self.socket = socket.create_connection((host, port), limit, source and (source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.pending = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, octets):
        self.socket.sendall(octets)

    def send_split(self, octets, size=1):
        """Send in writes of size octets, each in a segment of its own if it can be."""
        for start in range(0, len(octets), size):
            self.socket.sendall(octets[start : start + size])

    def send_parts(self, *parts):
        """Send each part with one write."""
        for part in parts:
            self.socket.sendall(part)

    def read_line(self):
        """One line with its end; raises EOFError when the peer closed before it."""
        while b"\n" not in self.pending:
            octets = self.socket.recv(65536)
            if not octets:
                raise EOFError(f"closed after {self.pending!r}")
            self.pending += octets
        line, _, self.pending = self.pending.partition(b"\n")
        return line + b"\n"

    def read_reply(self):
        raw = b""
        while True:
            line = self.read_line()
            raw += line
            if line[3:4] != b"-":
                return Reply(raw)

    def read_to_end(self):
        """All until the peer closes; a reset counts as its end."""
        octets, self.pending = self.pending, b""
        try:
            while part := self.socket.recv(65536):
                octets += part
        except ConnectionResetError:
            pass
        return octets

    def expect(self, start):
        """Read a reply and check how its last line begins."""
        reply = self.read_reply()
        assert reply.lines[-1].startswith(str(start)), f"{reply!r}, expected {start}"
        return reply

    def command(self, line, start=None):
        """Send one line, read one reply."""
        self.send(line.encode("utf-8") + b"\r\n")
        return self.read_reply() if start is None else self.expect(start)

    def hello(self, name="client.example"):
        """Greeting and EHLO; returns the extensions as {KEYWORD: parameters}."""
        self.expect(220)
        return self.say_hello(name)

    def say_hello(self, name="client.example"):
        """Likewise, where the greeting was read before: EHLO again."""
        reply = self.command(f"EHLO {name}", 250)
        words = [line[4:].partition(" ") for line in reply.lines[1:]]
        return {keyword.upper(): parameters for keyword, _, parameters in words}

    def send_message(
        self, recipient=RECIPIENT, sender=SENDER, content=CONTENT, expected=250
    ):
        """A whole message, behind EHLO; the last reply, which begins as expected.

        content: lines that end in CRLF and do not begin with a dot.
        """
        self.command(f"MAIL FROM:<{sender}>", 250)
        self.command(f"RCPT TO:<{recipient}>", 250)
        self.command("DATA", 354)
        self.send(content + b".\r\n")
        return self.expect(expected)

    def half_close(self):
        """Say that nothing more will be sent; replies can still be read."""
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self):
        """Close with a RST."""
        self.socket.setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        self.socket.close()

    def close(self):
        self.socket.close()


def send_one(port, expected=250, **keys):
    """A whole visit of a client, with one message.

    Returns the reply that has decided: that to the recipient, or to the content. keys:
    of RawClient.
    """
    with RawClient(port, **keys) as client:
        client.hello()
        client.command(f"MAIL FROM:<{SENDER}>", 250)
        reply = client.command(f"RCPT TO:<{RECIPIENT}>")
        if reply.code == 250:
            client.command("DATA", 354)
            client.send(CONTENT + b".\r\n")
            reply = client.read_reply()
        client.command("QUIT", 221)
    assert reply.code == expected, reply
    return reply
