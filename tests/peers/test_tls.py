"""TLS on both legs between real clients and a real Postfix that takes nothing in clear.

evenpost ends STARTTLS, or TLS at once, from the client, and opens STARTTLS to Postfix,
whose certificate it verifies.
"""

import ssl
import subprocess

import pytest

from clients import HERE, run_client, to_lines
from harness.evenpost import Evenpost, configure_pool
from harness.mail import body_of, dot_stuffed, make_message
from harness.pki import Authority
from harness.postfix import Postfix
from harness.waiting import wait_until

_ENCRYPTS = """\
smtpd_tls_security_level = encrypt
smtpd_tls_chain_files = /instance/chain.pem
smtpd_tls_loglevel = 1
smtpd_tls_received_header = yes
"""
_LIMIT = 60


class EncryptingPostfix(Postfix):
    """Takes mail through STARTTLS alone."""

    def settings(self):
        return super().settings() + _ENCRYPTS


@pytest.fixture(scope="module")
def authority(session_scratch):
    return Authority(session_scratch)


@pytest.fixture(scope="module")
def postfix(peers, session_scratch, authority):
    server = EncryptingPostfix(session_scratch, "encrypting")
    pair = authority.issue("encrypting.test")
    chain = pair.key.read_text() + pair.certificate.read_text()
    server.write("chain.pem", chain).chmod(0o600)
    yield server.start()
    server.stop()


@pytest.fixture(scope="module")
def evenpost(postfix, session_scratch, authority):
    """Listeners offer, require and implicit, with ECDSA and RSA side by side."""
    pairs = [authority.issue("localhost"), authority.issue("localhost", kind="rsa")]
    pool = configure_pool(
        {"postfix": postfix.address},
        tls="verify",
        **{"tls-ca": str(authority.file), "tls-name": "encrypting.test"},
    )
    made = Evenpost(
        session_scratch,
        {"postfix": pool},
        {tls: {"tls": tls} for tls in ("offer", "require", "implicit")},
        name="tls",
        tls={"certificates": [pair.as_setting() for pair in pairs]},
    )
    yield made.start()
    made.stop()


def by_smtplib(port, authority, implicit, sender, recipients, message):
    import smtplib

    context = ssl.create_default_context(cafile=authority.file)
    kind = smtplib.SMTP_SSL if implicit else smtplib.SMTP
    options = {"context": context} if implicit else {}
    with kind("localhost", port, timeout=_LIMIT, **options) as client:
        if not implicit:
            client.starttls(context=context)
        assert not client.sendmail(sender, recipients, message)


def by_swaks(port, authority, implicit, sender, recipients, message):
    run_client(
        ["swaks", "--server=localhost", f"--port={port}", f"--from={sender}"]
        + [f"--to={','.join(recipients)}", "--data=-", "--no-data-fixup"]
        + ["--tls-on-connect" if implicit else "--tls", "--suppress-data"]
        + ["--tls-verify", f"--tls-ca-path={authority.file}"],
        dot_stuffed(message).removesuffix(b"\r\n"),
    )


def by_curl(port, authority, implicit, sender, recipients, message):
    to = [word for recipient in recipients for word in ("--mail-rcpt", recipient)]
    scheme = "smtps" if implicit else "smtp"
    run_client(
        ["curl", "--silent", "--show-error", "--ssl-reqd", "--cacert", authority.file]
        + ["--mail-from", sender, *to, "--upload-file", "-"]
        + [f"{scheme}://localhost:{port}/client.example"],
        message,
    )


def by_msmtp(port, authority, implicit, sender, recipients, message):
    run_client(
        ["msmtp", "--file=/dev/null", "--host=localhost", f"--port={port}"]
        + [f"--from={sender}", "--set-date-header=off", "--set-from-header=off"]
        + ["--tls=on", f"--tls-starttls={'off' if implicit else 'on'}"]
        + [f"--tls-trust-file={authority.file}", "--", *recipients],
        to_lines(message),
    )


def by_nodemailer(port, authority, implicit, sender, recipients, message):
    import json

    envelope = json.dumps({"from": sender, "to": recipients})
    tls = "implicit" if implicit else "starttls"
    run_client(
        ["node", HERE / "nodemailer_send.js", port, envelope, tls, authority.file], message
    )


_CLIENTS = {
    "smtplib": by_smtplib,
    "swaks": by_swaks,
    "curl": by_curl,
    "msmtp": by_msmtp,
    "nodemailer": by_nodemailer,
}


@pytest.mark.parametrize("listener", ["offer", "require", "implicit"])
@pytest.mark.parametrize("client", _CLIENTS)
def test_both_legs(evenpost, postfix, authority, client, listener):
    number = f"tls-{client}-{listener}"
    message = make_message(number, b"a\r\n.\r\nb\r\n")
    send = _CLIENTS[client]
    send(
        evenpost.ports[listener],
        authority,
        listener == "implicit",
        "ann@a.example",
        ["bob@b.example"],
        message,
    )
    (stored,) = wait_until(lambda: postfix.mail.numbered(number), "the message")
    assert stored.body == body_of(message)
    assert b"using TLSv1.3" in stored.headers
    lines = evenpost.wait_event("message", listener=listener)
    assert {line["tls"] for line in lines} == {"TLSv1.3"}


def test_postfix_is_content(postfix):
    """Every connection went through TLS; none was lost, or complained of."""
    log = postfix.program.log()
    assert "Anonymous TLS connection established" in log
    for complaint in ("warning:", "lost connection", "Must issue a STARTTLS"):
        assert complaint not in log


def test_openssl_verifies_both_kinds(evenpost, authority):
    """RSA and ECDSA side by side: each client gets what it can verify."""
    shown = {}
    for kind, algorithms in (("ecdsa", "ECDSA+SHA256"), ("rsa", "rsa_pss_rsae_sha256")):
        done = subprocess.run(
            ["openssl", "s_client", "-connect", f"localhost:{evenpost.ports['offer']}"]
            + ["-starttls", "smtp", "-CAfile", str(authority.file), "-tls1_3"]
            + ["-verify_return_error", "-verify_hostname", "localhost"]
            + ["-sigalgs", algorithms],
            input="QUIT\n",
            capture_output=True,
            text=True,
            timeout=_LIMIT,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        (line,) = [row for row in done.stdout.splitlines() if "Peer signature type" in row]
        shown[kind] = line.rpartition(" ")[2]
    assert shown["ecdsa"] == "ECDSA" and shown["rsa"].startswith("RSA")


def test_gnutls(evenpost, authority):
    done = subprocess.run(
        ["gnutls-cli", "--starttls-proto=smtp", f"--x509cafile={authority.file}"]
        + ["--port", str(evenpost.ports["require"]), "localhost"],
        input="EHLO client.example\r\nQUIT\r\n",
        capture_output=True,
        text=True,
        timeout=_LIMIT,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Handshake was completed" in done.stdout
    assert "221 2.0.0 Bye" in done.stdout
