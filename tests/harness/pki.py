"""An authority and certificates in every state, made by openssl for one test."""

import base64
import dataclasses
import pathlib
import ssl
import subprocess

_KINDS = {
    "ecdsa": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "rsa": ["-newkey", "rsa:2048"],
}

# When a certificate begins and ends that is good no more, or not yet.
OVER = ("20200101000000Z", "20200201000000Z")
TO_COME = ("20990101000000Z", "20990201000000Z")

# Where it stands in a key of P-256 as PKCS 8 (RFC 5958, RFC 5915).
_PRIVATE_HALF = slice(36, 68)


@dataclasses.dataclass(frozen=True)
class Pair:
    """Files in PEM: the certificate (and the chain behind it), and its key."""

    certificate: pathlib.Path
    key: pathlib.Path

    def as_setting(self):
        return {"certificate": str(self.certificate), "key": str(self.key)}


class Authority:
    """Signs certificates; its own is in .file."""

    def __init__(self, directory, name="authority", parent=None):
        self.directory = pathlib.Path(directory)
        self.name = name
        self.parent = parent
        self.file = self.directory / f"{name}.pem"
        self.key = self.directory / f"{name}.key"
        extensions = ["basicConstraints=critical,CA:TRUE", "keyUsage=keyCertSign"]
        self._make(self.file, self.key, f"/CN={name}", extensions, days=3650)

    def _make(self, file, key, subject, extensions, days, kind="ecdsa", signer=None):
        signer = signer or self.parent
        signing = ["-CA", signer.file, "-CAkey", signer.key] if signer else []
        added = [word for line in extensions for word in ("-addext", line)]
        if isinstance(days, int):
            self._request(file, key, subject, added, kind, signing, days)
        else:
            self._request_dated(file, key, subject, extensions, kind, signer, days)

    def _request(self, file, key, subject, added, kind, signing, days):
        run(
            ["openssl", "req", "-x509", *_KINDS[kind], "-nodes", "-days", days]
            + ["-subj", subject, *added, *signing, "-keyout", key, "-out", file]
        )

    def _request_dated(self, file, key, subject, extensions, kind, signer, dates):
        request, settings = (file.parent / f"{file.name}.{n}" for n in ("csr", "cnf"))
        run(
            ["openssl", "req", "-new", *_KINDS[kind], "-nodes", "-subj", subject]
            + ["-keyout", key, "-out", request]
        )
        database = file.parent / f"{file.name}.db"
        database.write_text("")
        (file.parent / f"{file.name}.db.attr").write_text("unique_subject = no\n")
        settings.write_text(
            f"[ca]\ndefault_ca = one\n[one]\ndatabase = {database}\n"
            f"new_certs_dir = {self.directory}\nrand_serial = yes\n"
            "default_md = sha256\npolicy = any\nx509_extensions = more\n"
            "[any]\ncommonName = supplied\n[more]\n" + "\n".join(extensions) + "\n"
        )
        run(
            ["openssl", "ca", "-batch", "-notext", "-config", settings]
            + ["-cert", signer.file, "-keyfile", signer.key, "-in", request]
            + ["-startdate", dates[0], "-enddate", dates[1]]
            + ["-out", file]
        )

    def issue(self, name, *, file=None, kind="ecdsa", days=30, chain=True):
        """A certificate for a host name or "IP:ADDRESS".

        days: it is good for that many from now on, or OVER, or TO_COME.
        chain: with an authority between behind it.
        """
        until = days if isinstance(days, int) else days[1]
        stem = file or f"{name}-{kind}-{until}".replace("*", "any")
        alternative = name if ":" in name else f"DNS:{name}"
        pair = Pair(self.directory / f"{stem}.crt", self.directory / f"{stem}.key")
        extensions = [f"subjectAltName={alternative}", "basicConstraints=CA:FALSE"]
        self._make(
            pair.certificate, pair.key, f"/CN={name}", extensions, days, kind, self
        )
        if self.parent and chain:
            whole = pair.certificate.read_text() + self.file.read_text()
            pair.certificate.write_text(whole)
        return pair


def sign_with_another(pair):
    """The certificate of a pair, by somebody who does not have its key.

    OpenSSL compares the public half alone, so the private one of P-256 can be replaced.
    """
    other = pair.key.with_suffix(".other")
    run(["openssl", "genpkey", "-algorithm", "EC", "-outform", "DER", "-out", other]
        + ["-pkeyopt", "ec_paramgen_curve:P-256"])
    key = bytearray(base64.b64decode("".join(pair.key.read_text().splitlines()[1:-1])))
    key[_PRIVATE_HALF] = other.read_bytes()[_PRIVATE_HALF]
    text = base64.encodebytes(key).decode()
    other.write_text(f"-----BEGIN PRIVATE KEY-----\n{text}-----END PRIVATE KEY-----\n")
    return Pair(pair.certificate, other)


def server_context(pair):
    """Of a server that shows it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    return context


def run(command):
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}:\n{done.stderr}"
