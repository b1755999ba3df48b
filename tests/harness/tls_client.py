"""A RawClient that goes through TLS: at once, or from STARTTLS on."""

import os
import ssl

from harness.raw_client import RawClient


def client_context(authority=None, minimum=None, maximum=None, pair=None):
    """Verifies against the authority where there is one."""
    context = ssl.create_default_context(cafile=str(authority.file) if authority else None)
    if authority is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if minimum:
        context.minimum_version = minimum
    if maximum:
        context.maximum_version = maximum
    if pair:
        context.load_cert_chain(pair.certificate, pair.key)
    return context


class Records:
    """Stands for a socket: TLS above one, whose records can be cut, kept and forged.

    size: in how many octets at once they are sent; 0: whole.
    """

    def __init__(self, plain, context, name, size=0):
        self.plain, self.size = plain, size
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._session = context.wrap_bio(
            self._incoming, self._outgoing, server_hostname=name
        )
        self._exchange(self._session.do_handshake)

    def seal(self, octets):
        """The record of these octets, which is not sent."""
        self._session.write(octets)
        return self._outgoing.read()

    def seal_end(self):
        """That of a close_notify; nothing can be sealed behind it."""
        try:
            self._session.unwrap()
        except ssl.SSLWantReadError:  # the peer's
            pass
        return self._outgoing.read()

    def sendall(self, octets):
        self._send(self.seal(octets))

    def recv(self, count):
        return self._exchange(lambda: self._session.read(count))

    def close(self):
        self.plain.close()

    def _send(self, octets):
        step = self.size or len(octets) or 1
        for start in range(0, len(octets), step):
            self.plain.sendall(octets[start : start + step])

    def _exchange(self, action):
        while True:
            try:
                return action()
            except ssl.SSLWantReadError:
                self._send(self._outgoing.read())
                if octets := self.plain.recv(65536):
                    self._incoming.write(octets)
                else:
                    self._incoming.write_eof()
            finally:
                self._send(self._outgoing.read())


class TlsClient(RawClient):
    """start_tls() now, or after STARTTLS; then as any other client."""

    def start_tls(self, context=None, name="mx.example", session=None):
        context = context or client_context()
        self.plain = self.socket
        self.pending = b""
        self.socket = context.wrap_socket(
            self.socket, server_hostname=name, session=session
        )
        return self

    def start_records(self, context=None, name="mx.example", size=0):
        """Likewise, as Records."""
        self.plain = self.socket
        self.pending = b""
        self.socket = Records(self.plain, context or client_context(), name, size)
        return self

    def starttls(self, context=None, name="mx.example", session=None):
        self.command("STARTTLS", "220 2.0.0")
        return self.start_tls(context, name, session)

    def cut(self):
        """Ends the connection below TLS, without a word of TLS."""
        os.close(self.socket.detach())
