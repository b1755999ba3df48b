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

    def starttls(self, context=None, name="mx.example", session=None):
        self.command("STARTTLS", "220 2.0.0")
        return self.start_tls(context, name, session)

    def cut(self):
        """Ends the connection below TLS, without a word of TLS."""
        os.close(self.socket.detach())
