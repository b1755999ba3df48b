"""An SMTP server that does at every stage what the test says, and keeps what it got.

    server = ScriptedServer()
    server.on("rcpt", "450 4.2.0 later", "250 2.1.5 Ok")   # first, then for good
    server.on("end", DROP)

Stages: greeting, ehlo, helo, auth (the last word of an AUTH), mail, rcpt, data,
end (the final dot, or the last chunk), bdat (a chunk that is not the last), rset,
noop, vrfy, quit, xclient, xforward,
starttls, other, and two that have no command: body, after body_octets of a message have
come, and handshake, before a TLS handshake. With tls=CONTEXT the server offers STARTTLS,
or speaks TLS from the first byte with implicit=True. An action is a reply (text; lines are joined
with LF, CRLF is added; or exact bytes), a list of bytes (each sent in a segment of its
own), DROP, RESET, HANG, a Wait, or a function of the connection that returns an action.
Without an action the stage succeeds.
"""

import base64
import dataclasses
import hmac
import socket
import socketserver
import ssl
import struct
import threading

from harness.network import endpoint
from harness.proxy_header import read_header
from harness.waiting import LIMIT, free_port, wait_until

DROP = object()  # close the connection
RESET = object()  # close it with a RST
HANG = object()  # say nothing more, read nothing more, until the server stops


@dataclasses.dataclass
class Wait:
    """Do the action once the test has set the event."""

    event: threading.Event
    action: object


@dataclasses.dataclass
class Message:
    """A message that came to its end, whatever was answered."""

    sender: str
    recipients: list
    content: bytes  # without dot-stuffing and without the final dot
    encrypted: bool = False
    reply: bytes = b""  # once it was sent
    user: str = None  # who had logged in
    connection: int = 0  # over which it came: the server's first is 1

    @property
    def accepted(self):
        return self.reply.startswith(b"250")


@dataclasses.dataclass
class Login:
    """An AUTH that came to its end, whatever was answered."""

    mechanism: str
    user: str
    responses: list  # as they came, in base64
    reply: bytes = b""  # once it was sent

    @property
    def accepted(self):
        return self.reply.startswith(b"235")


EXTENSIONS = (
    "PIPELINING",
    "SIZE 104857600",
    "8BITMIME",
    "SMTPUTF8",
    "DSN",
    "ENHANCEDSTATUSCODES",
    "CHUNKING",
)

_DEFAULTS = {
    "greeting": "220 scripted.test ESMTP",
    "helo": "250 scripted.test",
    "mail": "250 2.1.0 Ok",
    "rcpt": "250 2.1.5 Ok",
    "data": "354 go ahead",
    "body": None,
    "bdat": "250 2.0.0 Ok",
    "rset": "250 2.0.0 Ok",
    "noop": "250 2.0.0 Ok",
    "vrfy": "252 2.0.0 perhaps",
    "xclient": "220 scripted.test ESMTP",
    "xforward": "250 2.0.0 Ok",
    "starttls": "220 2.0.0 go ahead",
    "handshake": None,
    "quit": "221 2.0.0 Bye",
    "other": "500 5.5.2 no such command",
}

LOGIN_FAILED = "535 5.7.8 scripted: authentication failed"


class _Closed(Exception):
    """The connection is over, by the peer's will or by an action."""


class Connection(socketserver.BaseRequestHandler):
    """One connection, served by a thread of its own."""

    def setup(self):
        self.script = self.server.script
        self.received = b""
        self.commands = []
        self.proxy = None  # the ProxyHeader that it began with
        self.user = None  # who has logged in
        self.closed = False
        self.resumed = None  # whether the TLS session was
        self.certificate = None  # that the client has shown, if it was asked for one
        self._forget_envelope()
        self._pending = b""
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.number = self.script._register(self)

    def handle(self):
        try:
            if self.script.expects_proxy:
                self._read_proxy_header()
            if self.script.implicit:
                self._begin_tls()
            self._act("greeting")
            while True:
                self._serve(self._read_line())
        except (_Closed, OSError):
            pass

    def finish(self):
        self.closed = True
        if self.encrypted:
            self.request.close()  # what was wrapped is closed by our caller

    def end(self):
        """Called by another thread; the client may have gone just now."""
        try:
            # below TLS, whose state is its own thread's
            socket.socket.shutdown(self.request, socket.SHUT_RDWR)
        except OSError:
            pass

    @property
    def encrypted(self):
        return isinstance(self.request, ssl.SSLSocket)

    @property
    def can_begin_tls(self):
        return self.script.tls is not None and not self.encrypted

    def _begin_tls(self):
        self._act("handshake")
        self.request = self.script.tls.wrap_socket(
            self.request, server_side=True, do_handshake_on_connect=False
        )
        self.request.do_handshake()
        self.resumed = self.request.session_reused
        self.certificate = self.request.getpeercert()

    def _serve(self, line):
        text = line.decode("utf-8", "replace").rstrip("\r\n")
        self.commands.append(text)
        verb, _, argument = text.partition(" ")
        verb = verb.lower()
        serve = getattr(self, f"_serve_{verb}", None)
        if serve:
            serve(argument)
        else:
            self._act(verb if verb in _DEFAULTS else "other")

    def _serve_ehlo(self, _):
        self._forget_envelope()
        self._act("ehlo")

    def _serve_starttls(self, _):
        if not self.can_begin_tls:
            self._act("other")
            return
        if not self._act("starttls").startswith(b"220"):
            return
        self._forget_envelope()
        self._begin_tls()

    def _serve_mail(self, argument):
        if self._act("mail").startswith(b"2"):
            self._forget_envelope()
            self.sender = argument

    def _serve_rcpt(self, argument):
        if self._act("rcpt").startswith(b"2"):
            self.recipients.append(argument)

    def _serve_rset(self, _):
        self._forget_envelope()
        self._act("rset")

    def _serve_auth(self, argument):
        mechanism, _, initial = argument.partition(" ")
        self.login = Login(mechanism, "", [initial] if initial else [])
        check = getattr(self, f"_check_{mechanism.lower().replace('-', '_')}")
        good = check()
        self.script.logins.append(self.login)
        if self.script.has_action("auth"):
            self.login.reply = self._act_on_auth()
        else:
            self.login.reply = self._answer("235 2.7.0 welcome" if good else LOGIN_FAILED)
        if self.login.accepted:
            self.user = self.login.user

    def _act_on_auth(self):
        """Whatever the check has said; a 334 asks for one more line."""
        while (reply := self._act("auth")).startswith(b"334"):
            self._take_response()
        return reply

    def _take_response(self):
        line = self._read_line().decode().rstrip("\r\n")
        self.commands.append(line)
        self.login.responses.append(line)

    def _response(self, number, challenge=b""):
        """The client's response, asked for unless it came with AUTH."""
        if number == len(self.login.responses):
            self._answer(f"334 {base64.b64encode(challenge).decode()}")
            self._take_response()
        return base64.b64decode(self.login.responses[number])

    def _is_right(self, user, password):
        self.login.user = user.decode()
        return self.script.users.get(user.decode()) == password.decode()

    def _check_plain(self):
        _, user, password = self._response(0).split(b"\0")
        return self._is_right(user, password)

    def _check_login(self):
        return self._is_right(
            self._response(0, b"Username:"), self._response(1, b"Password:")
        )

    def _check_cram_md5(self):
        challenge = f"<{self.number}@scripted.test>".encode()
        user, _, digest = self._response(0, challenge).rpartition(b" ")
        self.login.user = user.decode()
        password = self.script.users.get(user.decode(), "").encode()
        return hmac.new(password, challenge, "md5").hexdigest().encode() == digest

    def _check_ntlm(self):
        """As Exchange: words in the place of the first challenge."""
        self._answer("334 ntlm supported")
        self._take_response()
        self._response(1, b"NTLMSSP\0")
        return True

    def _check_xoauth2(self):
        """A token that is wrong is told with a challenge of its own, as Google does."""
        user, bearer = self._response(0).split(b"\1")[:2]
        token = bearer.removeprefix(b"auth=Bearer ")
        if self._is_right(user.removeprefix(b"user="), token):
            return True
        self._response(1, b'{"status":"401"}')
        return False

    def _check_oauthbearer(self):
        """By the token alone, whoever it is shown for."""
        token = self._response(0).split(b"\1")[1].removeprefix(b"auth=Bearer ").decode()
        owners = [user for user, known in self.script.users.items() if known == token]
        self.login.user = owners[0] if owners else ""
        return bool(owners)

    def _serve_quit(self, _):
        self._act("quit")
        raise _Closed

    def _serve_data(self, _):
        if not self.recipients and not self.script.has_action("data"):
            self._answer("503 5.5.1 no recipients")
            return
        if not self._act("data").startswith(b"3"):
            return
        lines, length = [], 0
        while (line := self._read_line()) != b".\r\n":
            length += len(line)
            self._check_body(length, len(line))
            lines.append(line[1:] if line.startswith(b".") else line)
        self._end_message(b"".join(lines))

    def _serve_bdat(self, argument):
        size, _, last = argument.partition(" ")
        before = len(self._chunks)
        self._chunks += self._read_octets(int(size))
        self._check_body(len(self._chunks), len(self._chunks) - before)
        if last.strip().upper() == "LAST":
            self._end_message(self._chunks)
        else:
            self._act("bdat")

    def _check_body(self, length, added):
        limit = self.script.body_octets
        if self.script.has_action("body") and length >= limit > length - added:
            self._act("body")

    def _end_message(self, content):
        message = Message(self.sender, self.recipients, content, self.encrypted)
        message.user, message.connection = self.user, self.number
        self._forget_envelope()
        self.script.messages.append(message)
        message.reply = self._act("end")

    def _forget_envelope(self):
        self.sender, self.recipients, self._chunks = None, [], b""

    def _act(self, stage):
        return self._answer(self.script._next_action(stage, self))

    def _answer(self, action):
        """Carry an action out; returns the bytes sent."""
        while callable(action) or isinstance(action, Wait):
            if isinstance(action, Wait):
                action.event.wait(LIMIT)
                action = action.action
            else:
                action = action(self)
        if action is DROP or action is RESET:
            self._close(action is RESET)
        if action is HANG:
            self.script.stopping.wait()
            raise _Closed
        if isinstance(action, str):
            action = action.replace("\n", "\r\n").encode() + b"\r\n"
        for part in action if isinstance(action, list) else [action]:
            if part:
                self.request.sendall(part)
        return action if isinstance(action, bytes) else b""

    def _close(self, with_reset):
        if with_reset:
            self.request.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
            self.request.close()
        else:
            self.request.shutdown(socket.SHUT_RDWR)
        raise _Closed

    def _receive(self):
        octets = self.request.recv(65536)
        if not octets:
            raise _Closed
        self.received += octets
        self._pending += octets

    def _read_proxy_header(self):
        """And nothing behind it: that may be TLS."""
        header = None
        while not header:
            octets = self.request.recv(65536, socket.MSG_PEEK)
            if not octets:
                raise _Closed
            header = read_header(octets)
        self.received += self.request.recv(header.length)
        self.proxy = header

    def _read_line(self):
        while b"\r\n" not in self._pending:
            self._receive()
        line, _, self._pending = self._pending.partition(b"\r\n")
        return line + b"\r\n"

    def _read_octets(self, count):
        while len(self._pending) < count:
            self._receive()
        octets, self._pending = self._pending[:count], self._pending[count:]
        return octets


class _Listener(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 512
    ended = False  # as are all its connections, also those whose thread begins just now

    def __init__(self, address, handler):
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, handler)

    def handle_error(self, request, client_address):
        raise  # a fault in the script itself: let threading show it


class ScriptedServer:
    """Listens from its making until stop(); many connections at once."""

    def __init__(
        self,
        port=0,
        extensions=EXTENSIONS,
        expects_proxy=False,
        tls=None,
        implicit=False,
        host="127.0.0.1",
    ):
        self.tls = tls
        self.implicit = implicit
        self.names = []  # that clients have said in handshakes
        if tls:
            tls.sni_callback = lambda _, name, __: self.names.append(name)
        self.extensions = extensions
        self.expects_proxy = expects_proxy
        self.body_octets = 1
        self.connections = []
        self.messages = []
        self.users = {}  # {name: password or token}
        self.logins = []
        self.stopping = threading.Event()
        self._actions = {}
        self._lock = threading.Lock()
        self._listener = None
        self.host = host
        self.port = port or free_port()
        self.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    @property
    def address(self):
        return endpoint(self.host, self.port)

    def start(self):
        """Listen (again), on the same port."""
        self.stopping = threading.Event()
        self._listener = _Listener((self.host, self.port), Connection)
        self._listener.script = self
        threading.Thread(
            target=self._listener.serve_forever, args=(0.02,), daemon=True
        ).start()

    def stop(self):
        """Close the port and every connection: what SIGKILL does to a server."""
        if self._listener is None:
            return
        self.stopping.set()
        self._listener.shutdown()
        self._listener.server_close()
        with self._lock:
            self._listener.ended = True
            connections = list(self.connections)
        self._listener = None
        for connection in connections:
            if not connection.closed:
                connection.end()

    def on(self, stage, *actions):
        """Do these at that stage, one each time; the last one from then on."""
        assert stage in _DEFAULTS or stage in ("ehlo", "end", "auth"), stage
        with self._lock:
            self._actions[stage] = list(actions)
        return self

    def unlearn(self, extension):
        """Do not offer it any more, from the next EHLO on."""
        self.extensions = tuple(known for known in self.extensions if known != extension)

    def has_action(self, stage):
        return stage in self._actions

    def commands(self):
        """All commands, connection after connection."""
        return [command for c in self.connections for command in c.commands]

    def accepted(self):
        """The messages that this server has said 250 to."""
        return [message for message in self.messages if message.accepted]

    def wait_for(self, condition, what="the scripted server"):
        """Wait until condition(server) is true."""
        return wait_until(lambda: condition(self), what)

    def _register(self, connection):
        with self._lock:
            self.connections.append(connection)
            if connection.server.ended:
                connection.end()
            return len(self.connections)

    def _next_action(self, stage, connection):
        with self._lock:
            actions = self._actions.get(stage)
            if actions:
                return actions.pop(0) if len(actions) > 1 else actions[0]
        if stage == "ehlo":
            lines = ["scripted.test", *self.extensions]
            if connection.can_begin_tls:
                lines.append("STARTTLS")
            return "\n".join(
                f"250{' ' if n == len(lines) else '-'}{line}"
                for n, line in enumerate(lines, 1)
            )
        if stage == "end":
            return f"250 2.0.0 Ok: queued as {len(self.messages):06X}"
        return _DEFAULTS[stage]
