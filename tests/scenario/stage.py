"""Plays a dialogue: one thread, one step after the other, on real sockets."""

import shlex
import socket
import threading
import time

from harness.evenpost import PROBED_ONCE, Evenpost, configure_pool
from harness.raw_client import RawClient
from harness.scripted_server import EXTENSIONS
from harness.waiting import LIMIT, free_port

_SENDER = b"MAIL FROM:<ann@a.example>\r\n"
_RECIPIENT = b"RCPT TO:<bob@b.example>\r\n"


class StepFailed(AssertionError):
    """A line of the dialogue did not come true; begins with its number."""


class _Peer(RawClient):
    """One side of a conversation, on a socket that exists already."""

    def __init__(self, connected, name):
        self.socket = connected
        self.socket.settimeout(LIMIT)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.pending = b""
        self.name = name

    def read_exactly(self, count):
        while len(self.pending) < count:
            octets = self.socket.recv(65536)
            if not octets:
                break
            self.pending += octets
        octets, self.pending = self.pending[:count], self.pending[count:]
        return octets

    def read_unasked(self):
        """What has come and was not read by any step."""
        try:
            self.socket.setblocking(False)
            self.pending += self.socket.recv(65536)
        except OSError:
            pass
        return self.pending


class _Server:
    """A server of the dialogue. It answers the first probe by itself."""

    def __init__(self, name, offers):
        self.name = name
        self.offers = offers
        self.peers = []
        self.port = free_port()
        self.listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
        self.listener.settimeout(LIMIT)

    def hello(self):
        lines = [f"{self.name}.test", *self.offers]
        last = len(lines) - 1
        return "".join(
            f"250{'-' if n < last else ' '}{line}\r\n" for n, line in enumerate(lines)
        ).encode()

    def answer_probe(self):
        probe = self.accept()
        self.peers.remove(probe)
        probe.send(b"220 %s.test ESMTP\r\n" % self.name.encode())
        try:
            while (line := probe.read_line()) != b"QUIT\r\n":
                hello = line[:4] in (b"EHLO", b"LHLO")
                probe.send(self.hello() if hello else b"250 Ok\r\n")
            probe.send(b"221 Bye\r\n")
        except EOFError:
            pass
        probe.close()

    def accept(self):
        connected, _ = self.listener.accept()
        self.peers.append(_Peer(connected, f"server {self.name}"))
        return self.peers[-1]

    def stop(self):
        self.listener.close()

    def has_visitor(self):
        """Whether a connection came that no step has accepted."""
        try:
            self.listener.setblocking(False)
            self.listener.accept()[0].close()
            return True
        except OSError:
            return False


class Stage:
    """One evenpost, with the servers and clients of one dialogue."""

    def __init__(self, dialogue, directory, split=0):
        self.dialogue = dialogue
        self.split = split
        self.settings = dict(dialogue.settings)
        self.servers = {
            name: _Server(name, self._offers(name))
            for name in self.settings.get("servers", "a").split()
        }
        self.evenpost = self._make_evenpost(directory)
        self.server = next(iter(self.servers.values()))
        self.clients = {}
        self.client = None
        self._said = []

    # Before the first step.

    def _offers(self, name):
        offers = self.settings.get(f"server.{name}.offers", ", ".join(EXTENSIONS))
        return [] if offers == "none" else offers.split(", ")

    def _section(self, section):
        start = section + "."
        return {
            key[len(start) :]: value
            for key, value in self.settings.items()
            if key.startswith(start) and not key.endswith(".offers")
        }

    def _make_evenpost(self, directory):
        servers = {
            name: {
                "address": f"127.0.0.1:{server.port}",
                **self._section(f"server.{name}"),
            }
            for name, server in self.servers.items()
        }
        pool = {"health": PROBED_ONCE, **self._section("pool")}
        return Evenpost(
            directory,
            {"hubs": configure_pool(servers, **pool)},
            {"inbound": {"add-received": "never", **self._section("listener")}},
            **{"workers": 1, **self._section("top")},
        )

    def _begin(self):
        probes = [
            threading.Thread(target=server.answer_probe, daemon=True)
            for server in self.servers.values()
            if self.settings.get("pool.health", {}).get("probe") != "none"
        ]
        for probe in probes:
            probe.start()
        self.evenpost.start(ready=self.settings.get("ready") != "no")
        self.evenpost.program.wait_alive(
            lambda: self.evenpost.get("/livez")[0] == 200, "/livez of evenpost"
        )
        for probe in probes:
            probe.join(LIMIT)
        self._switch_client("1")

    # The steps.

    def play(self):
        """All of them, and the end."""
        self._begin()
        steps = self.dialogue.steps
        for n, step in enumerate(steps):
            follower = steps[n + 1] if n + 1 < len(steps) else None
            try:
                self._play(step, follower)
            except (AssertionError, OSError, EOFError) as error:
                what = f"{step.number}: {step.who} {step.text[:200]}\n{error}"
                raise StepFailed(what) from error
        try:
            self._end()
        except AssertionError as error:
            raise StepFailed(f"after the last step: {error}") from error

    def _play(self, step, follower):
        if step.who == "@":
            self._direct(step.text)
        elif step.who in "SB":
            self._hear(self.client if step.who == "S" else self._peer(), step)
        else:
            self._said.append(step.octets)
            # Lines of one speaker that follow each other go in one write.
            if follower is None or follower.who != step.who:
                self._say(self.client if step.who == "C" else self._peer())

    def _peer(self):
        assert self.server.peers, f"server {self.server.name} has no connection"
        return self.server.peers[-1]

    def _leave(self):
        """The server's connection, which from now on is none of its."""
        peer = self._peer()
        self.server.peers.remove(peer)
        return peer

    def _say(self, peer):
        octets, self._said = b"".join(self._said), []
        try:
            peer.send_split(octets, self.split or len(octets))
        except (BrokenPipeError, ConnectionResetError):
            pass  # cut off; what it hears instead is for the next steps

    def _hear(self, peer, step):
        if step.open_ended:
            heard = peer.read_line()
            right = heard.startswith(step.octets)
            if right and step.octets[3:4] == b"-":
                peer.read_reply()  # "250-..." stands for all lines of the reply
        else:
            heard = peer.read_exactly(len(step.octets))
            right = heard == step.octets
        assert right, f"{peer.name} heard {_shortened(heard)}"

    def _expect(self, peer, octets):
        heard = peer.read_exactly(len(octets))
        assert heard == octets, f"{peer.name} heard {heard!r}, not {octets!r}"

    # The directions.

    def _direct(self, text):
        word, _, rest = text.partition(" ")
        if text in _DIRECTIONS:
            _DIRECTIONS[text](self)
        elif word == "client" and rest.isdigit():
            self._switch_client(rest)
        elif word == "server" and rest in self.servers:
            self.server = self.servers[rest]
        elif word == "split":
            self.split = 0 if rest == "off" else int(rest)
        elif word == "wait":
            time.sleep(int(rest.removesuffix("ms")) / 1000)
        elif word == "log":
            self._await_log(rest)
        elif word == "counts":
            self._check_counts(rest)
        else:
            raise AssertionError("no such direction")

    def _switch_client(self, name):
        if name in self.clients:
            self.client = self.clients[name]
            return
        connected = socket.create_connection(("127.0.0.1", self.evenpost.port))
        self.client = self.clients[name] = _Peer(connected, f"client {name}")
        opening = self.settings.get("opening", "hello")
        if opening in ("banner", "hello"):
            self._expect(self.client, b"220 evenpost.test ESMTP evenpost\r\n")
        if opening == "hello":
            self.client.command("EHLO client.example", 250)

    def _greets(self):
        self._accepts()
        peer = self._peer()
        peer.send(b"220 %s.test ESMTP\r\n" % self.server.name.encode())
        lmtp = self.settings.get("pool.protocol") == "lmtp"
        self._expect(peer, b"%s evenpost.test\r\n" % (b"LHLO" if lmtp else b"EHLO"))
        peer.send(self.server.hello())

    def _accepts(self):
        self.server.accept()

    def _envelope(self):
        """MAIL and RCPT, over the server's last connection or a new one."""
        self.client.send(_SENDER)
        self._expect(self.client, b"250 2.1.0 Ok\r\n")
        self.client.send(_RECIPIENT)
        if not self.server.peers:
            self._greets()
        self._server_envelope()
        self._expect(self.client, b"250 2.1.5 %s\r\n" % self.server.name.encode())

    def _server_envelope(self):
        """The same, as the server hears it and answers."""
        peer = self._peer()
        name = self.server.name.encode()
        if "PIPELINING" in self.server.offers:
            self._expect(peer, _SENDER + _RECIPIENT)
            peer.send(b"250 2.1.0 %s\r\n250 2.1.5 %s\r\n" % (name, name))
        else:
            self._expect(peer, _SENDER)
            peer.send(b"250 2.1.0 %s\r\n" % name)
            self._expect(peer, _RECIPIENT)
            peer.send(b"250 2.1.5 %s\r\n" % name)

    def _data(self):
        self.client.send(b"DATA\r\n")
        self._server_data()
        self._expect(self.client, b"354 %s\r\n" % self.server.name.encode())

    def _server_data(self):
        self._expect(self._peer(), b"DATA\r\n")
        self._peer().send(b"354 %s\r\n" % self.server.name.encode())

    def _message(self):
        """A whole message, accepted."""
        self._envelope()
        self._data()
        content = b"Subject: a\r\n\r\nb\r\n.\r\n"
        self.client.send(content)
        self._expect(self._peer(), content)
        self._peer().send(b"250 2.0.0 Ok: queued as 4XyZ\r\n")
        self._expect(self.client, b"250 2.0.0 Ok: queued as 4XyZ\r\n")

    def _hear_end(self, peer):
        heard = peer.read_to_end()
        assert not heard, f"{peer.name} heard {_shortened(heard)} before the end"

    def _hear_no_message(self, peer):
        """To its end, but for the beginning of a message that never ends."""
        heard = peer.read_to_end()
        ended = heard.startswith(b".\r\n") or b"\r\n.\r\n" in heard
        assert not ended and b"LAST" not in heard, f"{peer.name} heard {heard!r}"

    def _await_log(self, text):
        event, *words = shlex.split(text)
        fields = dict(word.partition("=")[::2] for word in words)
        self.evenpost.wait_event(event, **fields)

    def _check_counts(self, text):
        counts = self.evenpost.messages()
        for word in text.split():
            name, _, count = word.partition("=")
            assert counts[name] == int(count), f"counted: {counts}"

    # After the last step.

    def _end(self):
        """Nothing was said that no step has heard, then or when evenpost stops."""
        for client in self.clients.values():
            rest = client.read_unasked()
            assert not rest, f"{client.name} was told more: {_shortened(rest)}"
            client.close()
        leaving = [
            threading.Thread(target=self._see_off, args=(peer,), daemon=True)
            for server in self.servers.values()
            for peer in server.peers
        ]
        self._surplus = []
        for thread in leaving:
            thread.start()
        self.evenpost.stop()
        for thread in leaving:
            thread.join(LIMIT)
        for server in self.servers.values():
            if server.has_visitor():
                self._surplus.append(f"server {server.name} had one more connection")
        assert not self._surplus, "\n".join(self._surplus)

    def _see_off(self, peer):
        """A server cleans up and says farewell; all else would be a message."""
        try:
            while True:
                line = peer.read_line()
                if line not in (b"RSET\r\n", b"QUIT\r\n"):
                    self._surplus.append(f"{peer.name} was told more: {line!r}")
                peer.send(b"221 Bye\r\n" if line == b"QUIT\r\n" else b"250 Ok\r\n")
        except EOFError as end:
            if peer.pending:
                self._surplus.append(f"{peer.name} was told more: {end}")
        except OSError:
            pass

    def tear_down(self):
        """Whatever became of it, nothing is left running."""
        for client in self.clients.values():
            client.close()
        for server in self.servers.values():
            server.stop()
            for peer in server.peers:
                peer.close()
        if self.evenpost.program and self.evenpost.program.is_alive():
            self.evenpost.kill()

    def transcript(self):
        """The dialogue, as it is in the file."""
        return "\n".join(
            f"{step.number:5}  {step.who} {step.text[:100]}"
            for step in self.dialogue.steps
        )


def _shortened(octets):
    if len(octets) <= 300:
        return repr(octets)
    return f"{octets[:150]!r} ... {octets[-150:]!r} ({len(octets)} octets)"


_DIRECTIONS = {
    "client closes": lambda stage: stage.client.close(),
    "client resets": lambda stage: stage.client.reset(),
    "client half-closes": lambda stage: stage.client.half_close(),
    "client hears the end": lambda stage: stage._hear_end(stage.client),
    "server accepts": Stage._accepts,
    "server greets": Stage._greets,
    "server stops": lambda stage: stage.server.stop(),
    "server closes": lambda stage: stage._leave().close(),
    "server resets": lambda stage: stage._leave().reset(),
    "server half-closes": lambda stage: stage._peer().half_close(),
    "server hears the end": lambda stage: stage._hear_end(stage._leave()),
    "server hears no message": lambda stage: stage._hear_no_message(stage._leave()),
    "envelope": Stage._envelope,
    "server takes the envelope": Stage._server_envelope,
    "data": Stage._data,
    "server takes data": Stage._server_data,
    "message": Stage._message,
    "segment": lambda stage: None,
}
