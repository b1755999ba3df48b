"""evenpost-sink with TLS: STARTTLS, TLS from the first byte, and what can go wrong."""

import ssl
import subprocess
import time

import pytest

from harness.evenpost import built_program
from harness.proxy_header import version_1
from harness.raw_client import CONTENT, RawClient
from harness.tls_client import TlsClient, client_context
from harness.tools import stored_messages

WAYS = ["starttls", "implicit"]


def test_offers_starttls_with_a_certificate_alone(sink, tls_sink):
    with RawClient(sink().port) as client:
        assert "STARTTLS" not in client.hello()
        client.command("STARTTLS", 502)
    with RawClient(tls_sink().port) as client:
        assert "STARTTLS" in client.hello()
        client.send_message(expected="250 2.0.0 Ok")


def test_speaks_tls_behind_starttls(tls_sink, authority, scratch):
    server = tls_sink("--maildir", scratch / "mail")
    with TlsClient(server.port) as client:
        client.hello()
        client.starttls(client_context(authority), name="127.0.0.1")
        assert "STARTTLS" not in client.command("EHLO again.example", 250).raw.decode()
        client.send_message(expected="250 2.0.0 Ok")
        client.command("QUIT", 221)
    assert [message[2] for message in stored_messages(scratch / "mail")] == [CONTENT]
    totals = server.stop()
    assert (totals["handshakes"], totals["resumed"]) == (1, 0)
    assert totals["commands"]["starttls"] == 1


def test_forgets_what_was_said_in_clear(tls_sink):
    with TlsClient(tls_sink().port) as client:
        client.hello()
        client.starttls()
        client.command("MAIL FROM:<a@a.example>", 503)


def test_throws_away_what_came_behind_starttls(tls_sink):
    with TlsClient(tls_sink().port) as client:
        client.hello()
        client.send(b"STARTTLS\r\nEHLO injected.example\r\n")
        client.expect("220 2.0.0")
        client.start_tls()
        client.command("NOOP", 250)
        client.command("MAIL FROM:<a@a.example>", 503)


def test_speaks_tls_from_the_first_byte(tls_sink, authority):
    with TlsClient(tls_sink("--tls", "implicit").port) as client:
        client.start_tls(client_context(authority), name="127.0.0.1")
        assert "STARTTLS" not in client.hello()
        client.send_message(expected="250 2.0.0 Ok")


def test_wants_the_proxy_header_before_tls(tls_sink):
    with TlsClient(tls_sink("--tls", "implicit", "--proxy").port) as client:
        client.send(version_1(("192.0.2.7", 4711)))
        client.start_tls()
        client.hello()


def test_takes_the_key_from_the_file_of_the_certificate(sink, pair, scratch):
    both = scratch / "both.pem"
    both.write_text(pair.key.read_text() + pair.certificate.read_text())
    with TlsClient(sink("--tls-certificate", both).port) as client:
        client.hello()
        client.starttls()


def test_counts_handshakes_that_fail(tls_sink):
    server = tls_sink()
    with RawClient(server.port) as client:
        client.hello()
        client.command("STARTTLS", 220)
        client.send(b"this is no TLS\r\n")
        client.read_to_end()
    totals = server.stop()
    assert (totals["handshakes"], totals["handshakes_failed"]) == (0, 1)


def test_resumes(tls_sink):
    server = tls_sink()
    context = client_context(maximum=ssl.TLSVersion.TLSv1_2)
    session = None
    for _ in range(2):
        with TlsClient(server.port) as client:
            client.hello()
            client.starttls(context, session=session)
            session = client.socket.session
            client.command("QUIT", 221)
    assert server.stop()["resumed"] == 1


@pytest.mark.parametrize(
    "what, reply",
    [
        ("reply:454 4.7.0 not now", "454 4.7.0 not now"),
        ("reply:454 4.7.0 not now@1", "454 4.7.0 not now"),
    ],
)
def test_starttls_can_be_refused(tls_sink, what, reply):
    with TlsClient(tls_sink("--fault", f"starttls={what}").port) as client:
        client.hello()
        client.command("STARTTLS", reply)
        client.send_message(expected="250 2.0.0 Ok")
        if what.endswith("@1"):
            client.starttls()


def test_starttls_can_be_answered_late(tls_sink):
    with TlsClient(tls_sink("--fault", "starttls=delay:200ms").port) as client:
        client.hello()
        start = time.monotonic()
        client.starttls()
        assert time.monotonic() - start > 0.15


def test_octets_in_clear_can_follow_the_answer_to_starttls(tls_sink):
    fault = "starttls=extra:250 injected\\r\\n"
    with TlsClient(tls_sink("--fault", fault).port) as client:
        client.hello()
        client.send(b"STARTTLS\r\n")
        client.expect(220)
        client.expect("250 injected")
        client.start_tls()
        client.command("NOOP", 250)


@pytest.mark.parametrize("what", ["drop", "silence", "reset", "drop-after-reply"])
def test_starttls_can_end_the_session(tls_sink, what):
    with RawClient(tls_sink("--fault", f"starttls={what}").port) as client:
        client.hello()
        client.send(b"STARTTLS\r\n")
        if what == "drop-after-reply":
            client.expect(220)
        if what == "silence":
            client.socket.settimeout(0.2)
        with pytest.raises((EOFError, TimeoutError, ConnectionResetError)):
            client.read_reply()


def begin_handshake(server, way):
    """A client that is about to say hello."""
    client = TlsClient(server.port)
    if way == "starttls":
        client.hello()
        client.command("STARTTLS", 220)
    return client


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "what, failure",
    [
        ("drop", (ssl.SSLEOFError, ssl.SSLZeroReturnError)),
        ("reset", ConnectionResetError),
        ("silence", TimeoutError),
        ("garbage", ssl.SSLError),
        ("raw:454 4.7.0 not now\\r\\n", ssl.SSLError),
    ],
    ids=["drop", "reset", "silence", "garbage", "raw"],
)
def test_handshake_can_fail(tls_sink, way, what, failure):
    server = tls_sink("--tls", way, "--fault", f"handshake={what}@1")
    with begin_handshake(server, way) as client:
        if what == "silence":
            client.socket.settimeout(0.3)
        with pytest.raises(failure):
            client.start_tls()
    with begin_handshake(server, way) as client:
        client.start_tls()
        client.command("QUIT")
        client.read_to_end()  # the server has counted the handshake
    totals = server.stop()
    assert (totals["handshakes"], totals["faults"]) == (1, 1)


@pytest.mark.parametrize("way", WAYS)
def test_handshake_can_be_late(tls_sink, way):
    server = tls_sink("--tls", way, "--fault", "handshake=delay:200ms")
    with begin_handshake(server, way) as client:
        start = time.monotonic()
        client.start_tls()
        assert time.monotonic() - start > 0.15


def test_nothing_happens_before_the_client_says_hello(tls_sink):
    server = tls_sink("--tls", "implicit", "--fault", "handshake=drop")
    with RawClient(server.port) as client:
        client.socket.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.read_line()


def test_the_faults_of_the_dialogue_go_through_tls(tls_sink):
    server = tls_sink("--tls", "implicit", "--fault", "greeting=split:1ms")
    with TlsClient(server.port) as client:
        client.start_tls()
        client.hello()


@pytest.mark.parametrize(
    "options",
    [
        ["--tls", "starttls"],
        ["--tls-key", "key.pem"],
        ["--tls-certificate", "crt.pem", "--tls", "always"],
        ["--fault", "handshake=reply:454 no"],
    ],
)
def test_usage_errors(options):
    command = [built_program("evenpost-sink"), *options]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 64
    assert done.stderr.startswith(b"evenpost-sink: ")


@pytest.mark.parametrize("file", ["certificate", "key"])
def test_missing_files_are_told(pair, file):
    files = {"certificate": pair.certificate, "key": pair.key, file: "/nowhere"}
    options = [word for name, path in files.items() for word in (f"--tls-{name}", path)]
    command = [built_program("evenpost-sink"), *options]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 71
    assert b"/nowhere" in done.stderr
