"""Certificates made by openssl for tests: signed by themselves, or by an authority."""

import ssl
import subprocess

_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
_AUTHORITY = ["-addext", "basicConstraints=critical,CA:TRUE"]


def _openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


def make_certificate(directory, name):
    """The files of the certificate and of its key, for the host name; self-signed."""
    certificate, key = directory / "certificate.pem", directory / "key.pem"
    _openssl(
        *["req", "-x509", *_KEY, "-days", "2", "-subj", f"/CN={name}"],
        *["-addext", f"subjectAltName=DNS:{name}"],
        *["-keyout", key, "-out", certificate],
    )
    return certificate, key


class Authority:
    """Signs certificates in a directory; its own is the file .certificate."""

    def __init__(self, directory, name="authority", issuer=None):
        self.directory = directory
        self.name = name
        self.issuer = issuer
        if issuer:
            self.certificate, self.key = issuer._sign(name, _AUTHORITY, 30)
        else:
            self.certificate, self.key = self._files(name)
            _openssl(
                *["req", "-x509", *_KEY, "-days", "30", "-subj", f"/CN={name}"],
                *["-keyout", self.key, "-out", self.certificate],
            )

    def sign(self, host, days=30, chain=True):
        """The files for a host's name or "IP:ADDRESS"; days may be negative.

        chain: with the authorities between, up to the root.
        """
        name = host if ":" in host else f"DNS:{host}"
        extensions = ["-addext", f"subjectAltName={name}"]
        certificate, key = self._sign(host.replace(":", "-"), extensions, days)
        above = self
        while chain and above.issuer:
            with certificate.open("a") as file:
                file.write(above.certificate.read_text())
            above = above.issuer
        return certificate, key

    def _files(self, name):
        return self.directory / f"{name}.pem", self.directory / f"{name}.key"

    def _sign(self, name, extensions, days):
        certificate, key = self._files(name)
        request = self.directory / f"{name}.csr"
        _openssl(
            *["req", "-new", *_KEY, "-subj", f"/CN={name}", *extensions],
            *["-keyout", key, "-out", request],
        )
        _openssl(
            *["x509", "-req", "-in", request, "-days", str(days)],
            *["-copy_extensions", "copy", "-out", certificate],
            *["-CA", self.certificate, "-CAkey", self.key],
        )
        return certificate, key


def serve_with(files, **settings):
    """A context for servers that show the certificate; attributes of it by name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    for name, value in settings.items():
        setattr(context, name, value)
    return context
