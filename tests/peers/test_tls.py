"""TLS on both legs between real clients and real servers that take nothing in clear.

evenpost ends STARTTLS, or TLS at once, from the client, and opens either to the server,
whose certificate it verifies.
"""

import os
import ssl
import subprocess

import pytest

from clients import HERE, run_client, to_lines
from harness.encrypting import EncryptingExim, EncryptingPostfix
from harness.evenpost import Evenpost, configure_pool
from harness.mail import body_of, dot_stuffed, make_message
from harness.pki import Authority
from harness.raw_client import RawClient
from harness.waiting import wait_until

_LIMIT = 60
_SERVER = "encrypting.test"


@pytest.fixture(scope="module")
def authority(session_scratch):
    return Authority(session_scratch)


@pytest.fixture(scope="module")
def servers(peers, session_scratch, authority):
    """{name: server}, of one certificate."""
    pair = authority.issue(_SERVER)
    made = {
        "postfix": EncryptingPostfix(session_scratch, "encrypting", pair),
        "exim": EncryptingExim(session_scratch, "encrypting-exim", pair),
    }
    for server in made.values():
        server.start()
    yield made
    for server in made.values():
        server.stop()


@pytest.fixture(scope="module")
def postfix(servers):
    return servers["postfix"]


def pools_of(servers, authority):
    """A pool of each server, and one of each server's port for implicit TLS."""
    trusted = {"tls-ca": str(authority.file), "tls-name": _SERVER}
    pools = {}
    for name, server in servers.items():
        address = {name: server.address}
        pools[name] = configure_pool(address, tls="verify", **trusted)
        address = {name: f"{server.host}:{server.implicit_port}"}
        pools[f"{name}-implicit"] = configure_pool(address, tls="implicit", **trusted)
    return pools


@pytest.fixture(scope="module")
def evenpost(servers, session_scratch, authority):
    """Listeners offer, require and implicit before Postfix, with ECDSA and RSA side by
    side; and for each pool one that is called as it is."""
    pairs = [authority.issue("localhost"), authority.issue("localhost", kind="rsa")]
    pools = pools_of(servers, authority)
    made = Evenpost(
        session_scratch,
        pools,
        {tls: {"tls": tls} for tls in ("offer", "require", "implicit")}
        | {pool: {"tls": "require", "pool": pool} for pool in pools},
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


def converse(command, implicit, sender, recipients, message):
    """What passes its input through TLS, and shows what comes: we are the client."""
    process = subprocess.Popen(
        [str(word) for word in command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    heard = []

    def hear(start):
        while not (heard and heard[-1].startswith(start)):
            heard.append(process.stdout.readline())
            assert heard[-1], f"no {start} in {heard}"

    def say(octets, start):
        heard.append(b"")
        process.stdin.write(octets + b"\r\n")
        process.stdin.flush()
        hear(start)

    with process:
        if implicit:
            hear(b"220 ")
        say(b"EHLO client.example", b"250 ")
        say(f"MAIL FROM:<{sender}>".encode(), b"250 2.1.0")
        for recipient in recipients:
            say(f"RCPT TO:<{recipient}>".encode(), b"250 2.1.5")
        say(b"DATA", b"354")
        say(dot_stuffed(message) + b".", b"250 2.0.0")
        say(b"QUIT", b"221")
        process.communicate(timeout=_LIMIT)
    assert process.returncode == 0, heard


def by_openssl(port, authority, implicit, sender, recipients, message):
    command = ["openssl", "s_client", "-quiet", "-connect", f"localhost:{port}"]
    command += ["-CAfile", authority.file, "-verify_return_error"]
    command += ["-verify_hostname", "localhost"]
    command += [] if implicit else ["-starttls", "smtp"]
    converse(command, implicit, sender, recipients, message)


def by_gnutls(port, authority, implicit, sender, recipients, message):
    command = ["gnutls-cli", f"--x509cafile={authority.file}", f"--port={port}"]
    command += [] if implicit else ["--starttls-proto=smtp"]
    converse([*command, "localhost"], implicit, sender, recipients, message)


_CLIENTS = {
    "smtplib": by_smtplib,
    "swaks": by_swaks,
    "curl": by_curl,
    "msmtp": by_msmtp,
    "nodemailer": by_nodemailer,
    "openssl": by_openssl,
    "gnutls": by_gnutls,
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


@pytest.mark.parametrize("pool", ["postfix", "exim", "postfix-implicit", "exim-implicit"])
def test_servers(evenpost, servers, authority, pool):
    """STARTTLS, and TLS at once, to servers of OpenSSL and of GnuTLS."""
    number = f"tls-server-{pool}"
    message = make_message(number, b"a\r\n.\r\nb\r\n")
    port = evenpost.ports[pool]
    by_smtplib(port, authority, False, "ann@a.example", ["bob@b.example"], message)
    server = servers[pool.removesuffix("-implicit")]
    (stored,) = wait_until(lambda: server.mail.numbered(number), "the message")
    assert stored.body == body_of(message)
    (line,) = evenpost.wait_event("message", listener=pool)
    assert line["server_tls"] == "TLSv1.3"


def test_servers_take_nothing_in_clear(servers):
    """So what has come has come through TLS."""
    for server, refusal in ((servers["postfix"], 530), (servers["exim"], 550)):
        with RawClient(server.port) as client:
            assert "STARTTLS" in client.hello()
            client.command("MAIL FROM:<ann@a.example>", refusal)
            client.command("QUIT", 221)


def test_servers_are_content(evenpost, servers):
    """Every connection went through TLS; none was lost, or complained of."""
    servers["postfix"].program.wait_log("Anonymous TLS connection established")
    for name, complaints in {
        "postfix": ("warning:", "lost connection"),
        "exim": ("TLS error", "lost", "unexpected", "synchronization"),
    }.items():
        log = servers[name].program.log()
        assert not [complaint for complaint in complaints if complaint in log], log


def run_openssl(evenpost, authority, *options, text="quit\n"):
    """s_client after STARTTLS, which stops where it does not trust the server. It goes
    when the server does, and not at the end of the text."""
    reading, writing = os.pipe()
    with open(reading) as source, open(writing, "w") as typed:
        typed.write(text)
        typed.flush()
        return subprocess.run(
            ["openssl", "s_client", "-connect", f"localhost:{evenpost.ports['offer']}"]
            + ["-starttls", "smtp", "-crlf", "-CAfile", str(authority.file)]
            + ["-verify_return_error", "-verify_hostname", "localhost", *options],
            stdin=source,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_LIMIT,
            check=False,
        )


def test_openssl_verifies_both_kinds(evenpost, authority):
    """RSA and ECDSA side by side: each client gets what it can verify."""
    shown = {}
    for kind, algorithms in (("ecdsa", "ECDSA+SHA256"), ("rsa", "rsa_pss_rsae_sha256")):
        done = run_openssl(evenpost, authority, "-tls1_3", "-sigalgs", algorithms)
        assert done.returncode == 0, done.stdout
        (line,) = [row for row in done.stdout.splitlines() if "Peer signature type" in row]
        shown[kind] = line.rpartition(" ")[2]
    assert shown["ecdsa"] == "ECDSA" and shown["rsa"].startswith("RSA")


def test_renegotiation_is_refused(evenpost, authority):
    """R asks for it; s_client ends when it is refused."""
    done = run_openssl(evenpost, authority, "-tls1_2", text="R\n")
    assert "RENEGOTIATING" in done.stdout
    assert ":no renegotiation:" in done.stdout and done.returncode == 1, done.stdout


def test_early_data_is_refused(evenpost, authority, scratch):
    """What is sent before the handshake is done can be sent twice: no ticket allows it."""
    early = scratch / "early"
    early.write_text("EHLO client.example\r\n")
    done = run_openssl(evenpost, authority, "-tls1_3", "-sess_out", scratch / "session")
    assert done.returncode == 0, done.stdout
    done = run_openssl(
        evenpost, authority, "-sess_in", scratch / "session", "-early_data", early
    )
    assert "Reused, TLSv1.3" in done.stdout, done.stdout
    assert "Early data was not sent" in done.stdout, done.stdout
