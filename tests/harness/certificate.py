"""A certificate that signs itself, made by openssl for one test."""

import subprocess


def make_certificate(directory, name):
    """The files of the certificate and of its key, for the host name."""
    certificate, key = directory / "certificate.pem", directory / "key.pem"
    subject = f"/CN={name}"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt"]
        + ["ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", subject]
        + ["-addext", f"subjectAltName=DNS:{name}"]
        + ["-keyout", key, "-out", certificate],
        check=True,
        capture_output=True,
    )
    return certificate, key
