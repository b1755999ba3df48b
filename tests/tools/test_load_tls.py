"""evenpost-load with TLS: towards evenpost-sink, and towards servers without it."""

import signal
import socket
import subprocess

import pytest

from harness.evenpost import built_program
from harness.pki import OVER, Authority, server_context
from harness.tools import run_load
from harness.waiting import wait_until

WAYS = ["starttls", "implicit"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("lmtp", [[], ["--lmtp"]])
@pytest.mark.parametrize("pipelining", [[], ["--pipelining"]])
def test_sends_through_tls(tls_sink, way, lmtp, pipelining):
    server = tls_sink("--tls", way, *lmtp)
    shape = ["-n", 60, "-c", 4, "-m", 7, "-s", 30000]
    report = run_load(server.address, *shape, *pipelining, *lmtp, "--tls", way)
    totals = server.stop()
    assert report.status == 0 and report.failures == {}
    assert report["accepted"] == totals["messages"] == 60
    assert report["bytes"] == totals["bytes"] == 60 * 30000
    assert report["handshakes"] == totals["handshakes"] == report["connections"] >= 9
    assert report["resumed"] == totals["resumed"] == 0
    assert report["latency_ms"]["handshake"]["count"] == report["handshakes"]
    hellos = {"starttls": 2, "implicit": 1}[way]
    assert totals["commands"]["ehlo"] == hellos * report["connections"]


@pytest.mark.parametrize("way", WAYS)
def test_resumes_where_it_is_told_to(tls_sink, way):
    server = tls_sink("--tls", way)
    options = ["-n", 20, "-c", 2, "-m", 1, "--tls", way, "--tls-resume"]
    report = run_load(server.address, *options)
    assert report["handshakes"] == 20
    assert report["resumed"] == server.stop()["resumed"] == 18


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("resume", [[], ["--tls-resume"]])
def test_makes_handshakes_alone(tls_sink, way, resume):
    server = tls_sink("--tls", way)
    options = ["--connect-only", "-n", 20, "-c", 2, "--tls", way]
    report = run_load(server.address, *options, *resume)
    totals = server.stop()
    assert report.status == 0
    assert (report["unit"], report["accepted"]) == ("sessions", 20)
    assert totals["handshakes"] == totals["commands"]["quit"] == 20
    assert report["resumed"] == totals["resumed"] == (18 if resume else 0)
    assert totals["commands"]["ehlo"] == (40 if way == "starttls" else 0)
    assert totals["transactions"] == 0


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("ehlo", [[], ["--ehlo"]])
def test_holds_idle_connections_with_tls(tls_sink, way, ehlo):
    server = tls_sink("--tls", way)
    options = ["--idle", "30", "--tls", way, *ehlo]
    command = [built_program("evenpost-load"), *options, server.address]
    hellos = 30 * ((way == "starttls") + len(ehlo))
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as load:
        assert load.stdout.readline() == "idle 30\n"
        wait_until(lambda: server.totals()["handshakes"] == 30, "the handshakes")
        totals = server.totals()
        assert (totals["open"], totals["commands"]["ehlo"]) == (30, hellos)
        load.send_signal(signal.SIGTERM)
        assert load.wait(30) == 0


@pytest.mark.parametrize("way", WAYS)
def test_verifies_against_an_authority(tls_sink, authority, way):
    server = tls_sink("--tls", way)
    options = ["--tls", way, "--tls-ca", authority.file]
    assert run_load(server.address, *options).status == 0
    report = run_load(server.address, *options, "--tls-name", "other.example", "-n", 2)
    assert report.status == 1
    assert report.failures == {"handshake certificate verify failed: hostname mismatch": 2}
    assert server.stop()["messages"] == 1


def test_verifies_nothing_by_default(sink, scratch):
    expired = Authority(scratch, "nobody").issue("other.example", days=OVER)
    shown = ["--tls-certificate", expired.certificate, "--tls-key", expired.key]
    server = sink(*shown)
    assert run_load(server.address, "--tls", "starttls").status == 0


@pytest.mark.parametrize(
    "options, name", [([], None), (["--tls-name", "a.example"], "a.example")]
)
def test_says_the_name_in_the_handshake(pair, options, name):
    names = []
    context = server_context(pair)
    context.sni_callback = lambda _socket, said, _context: names.append(said)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        command = [built_program("evenpost-load"), "--tls", "implicit", *options, address]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as load:
            with context.wrap_socket(listener.accept()[0], server_side=True) as client:
                client.sendall(b"554 that was all\r\n")
            assert load.wait(30) == 1
    assert names == [name]


@pytest.mark.parametrize("connect_only", [[], ["--connect-only"]])
def test_fails_where_starttls_is_not_offered(sink, connect_only):
    server = sink()
    report = run_load(server.address, "-n", 2, "--tls", "starttls", *connect_only)
    assert report.status == 1
    assert report.failures == {"starttls not offered": 2}
    assert (report["accepted"], report["failed"]) == (0, 2)
    assert server.stop()["commands"]["quit"] == 2


@pytest.mark.parametrize(
    "fault, failures",
    [
        ("starttls=reply:454 4.7.0 no", {"starttls 454 4.7.0": 1}),
        ("starttls=reply:421 4.3.2 no", {"starttls 421 4.3.2": 1}),
        ("starttls=drop", {"starttls lost": 1}),
        ("starttls=silence", {"starttls timeout": 1}),
        ("starttls=extra:250 injected\\r\\n", {"idle broken reply": 1}),
        ("handshake=drop", {"handshake unexpected eof while reading": 1}),
        ("handshake=silence", {"handshake timeout": 1}),
        ("handshake=raw:454 no\\r\\n", {"handshake wrong version number": 1}),
    ],
)
def test_each_failure_of_tls_has_its_name(tls_sink, fault, failures):
    server = tls_sink("--fault", f"{fault}@1")
    options = ["-n", 3, "-m", 1, "--tls", "starttls", "--timeout", "2s"]
    report = run_load(server.address, *options)
    assert report.status == 1
    assert report.failures == failures
    assert (report["accepted"], report["failed"]) == (2, 1)


def test_server_leaves_before_the_handshake(tls_sink):
    server = tls_sink("--fault", "starttls=drop-after-reply@1")
    report = run_load(server.address, "-n", 3, "-m", 1, "--tls", "starttls")
    [(failure, count)] = report.failures.items()
    assert failure.startswith("handshake ") and count == 1
    assert report["accepted"] == 2


def test_finds_no_tls_on_a_plain_port(sink):
    report = run_load(sink().address, "--tls", "implicit", "--timeout", "30s")
    assert report.failures == {"handshake wrong version number": 1}


@pytest.mark.parametrize(
    "options",
    [
        ["--tls", "always"],
        ["--tls-resume"],
        ["--tls-ca", "ca.pem"],
        ["--tls-name", "mx.example"],
        ["--tls=starttls", "--tls-name", ""],
        ["--tls=starttls", "--tls-name", "x" * 256],
    ],
)
def test_usage_errors(options):
    command = [built_program("evenpost-load"), *options, "127.0.0.1:25"]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 64
    assert done.stderr.startswith(b"evenpost-load: ")


def test_socket_has_no_address_to_verify():
    options = ["--tls", "starttls", "--tls-ca", "ca.pem", "unix:/nowhere"]
    command = [built_program("evenpost-load"), *options]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 64


def test_missing_authority_is_told():
    options = ["--tls", "starttls", "--tls-ca", "/nowhere", "127.0.0.1:25"]
    command = [built_program("evenpost-load"), *options]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 71
    assert b"/nowhere" in done.stderr
