"""evenpost status: what it shows, and what it says where there is nobody to ask."""

import contextlib
import json
import os
import re
import socket
import subprocess
import threading

import pytest

from harness.evenpost import built_program
from harness.pki import OVER, Authority, server_context
from harness.raw_client import send_one
from harness.scripted_server import ScriptedServer


def status(*arguments, **keys):
    return subprocess.run(
        [built_program("evenpost"), "status", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        **keys,
    )


def rows_of(text, title):
    """The table whose first column has that title: lists of cells."""
    lines = iter(text.splitlines())
    for line in lines:
        if line.split()[:1] == [title]:
            break
    rows = []
    for line in lines:
        if not line:
            break
        rows.append(re.split(r" {2,}", line.strip()))
    return rows


@pytest.fixture
def path(scratch):
    """Of a socket that is not there yet."""
    return str(scratch / "admin.sock")


@pytest.fixture
def answer(path):
    """Somebody else at the socket, who answers with these bytes and hangs up."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()

    def serve_all(bytes_):
        # Ends with the listener, or with a client that has had enough.
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                with client:
                    client.recv(4096)
                    client.sendall(bytes_)

    def serve(bytes_):
        threading.Thread(target=serve_all, args=(bytes_,), daemon=True).start()

    yield serve
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def test_files_that_are_refused(evenpost_before, scripted_servers, scratch):
    password = scratch / "password"
    password.write_text("secret\n")
    password.chmod(0o600)
    evenpost = evenpost_before(
        *scripted_servers(),
        pool={"auth": {"username": "u", "password-file": str(password)}},
    )
    path = evenpost.configuration["admin"]["socket"]
    assert "refused" not in status("--socket", path).stdout
    password.write_text("")
    evenpost.wait_event("tls", level="error")
    said = (
        f"! refused file: pools.hubs.auth.password-file: {password}: "
        "there is no password in its first line"
    )
    assert said in status("--socket", path).stdout.splitlines()
    shown = json.loads(status("--json", "--socket", path).stdout)
    assert [file["file"] for file in shown["status"]["refused_files"]] == [str(password)]


def test_listeners_and_servers(evenpost_before, scripted_servers):
    evenpost = evenpost_before(*scripted_servers(2))
    send_one(evenpost.port)
    shown = status("-c", evenpost.file)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.startswith("evenpost ")
    assert f" at evenpost.test, process {evenpost.program.pid}, up " in shown.stdout
    assert "\npool hubs: round-robin, 2 of 2 up\n" in shown.stdout

    ((name, mode, address, pool, now, total),) = rows_of(shown.stdout, "LISTENER")
    assert (name, mode, address, pool) == (
        "inbound",
        "message",
        f"127.0.0.1:{evenpost.port}",
        "hubs",
    )
    assert (int(now), int(total)) in [(0, 1), (1, 1)]

    rows = rows_of(shown.stdout, "SERVER")
    assert [row[0] for row in rows] == ["s1", "s2"]
    assert [row[2:5] for row in rows] == [["up", "1", "50.0 %"]] * 2
    assert sorted(row[5] for row in rows) == ["0.0 %", "100.0 %"]
    assert sorted(row[7] for row in rows) == ["0", "1"]
    assert all(re.fullmatch(r"ok, [\d.]+ ms, \d+ s ago", row[9]) for row in rows)
    assert "!" not in shown.stdout


def test_a_server_that_is_down_says_why(evenpost_before, scripted_servers):
    well, gone = scripted_servers(2)
    gone.stop()
    evenpost = evenpost_before(well, gone)
    lines = status("-c", evenpost.file).stdout.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("  s2 "))
    assert lines[at].split()[2] == "down"
    assert lines[at + 1] == "    ! last probe: connect refused"


def test_a_certificate_that_is_over(evenpost_before, scratch):
    """It is said beside a server that is used all the same."""
    pair = Authority(scratch).issue("hub.test", days=OVER)
    with ScriptedServer(tls=server_context(pair)) as server:
        evenpost = evenpost_before(server, pool={"tls": "may"})
        send_one(evenpost.port)
        lines = status("-c", evenpost.file).stdout.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("  s1 "))
    assert lines[at].split()[2] == "up"
    assert lines[at + 1] == (
        "    ! certificate: CN=hub.test, signed by CN=authority, ended on 2020-02-01"
    )


def test_json_is_what_the_api_says(evenpost_before, scripted_servers):
    evenpost = evenpost_before(*scripted_servers())
    shown = status("--json", "-c", evenpost.file)
    assert shown.returncode == 0
    report = json.loads(shown.stdout)
    assert list(report) == ["status", "pools"]
    assert report["status"] == json.loads(evenpost.get("/api/v1/status")[1])
    (pool,) = report["pools"]
    assert pool["servers"][0].keys() == evenpost.pools()["hubs"]["s1"].keys()
    assert pool["servers"][0]["fault"] is None


def test_the_socket_itself(evenpost_before, scripted_servers):
    evenpost = evenpost_before(*scripted_servers())
    path = evenpost.configuration["admin"]["socket"]
    assert status("--socket", path).returncode == 0


def test_hundreds_of_servers(evenpost_before, scripted_servers):
    (server,) = scripted_servers()
    evenpost = evenpost_before(*[server] * 800, pool={"health": {"probe": "none"}})
    shown = status("-c", evenpost.file)
    assert shown.returncode == 0
    assert len(rows_of(shown.stdout, "SERVER")) == 800


def test_nobody_is_there(path):
    shown = status("--socket", path)
    assert (shown.returncode, shown.stdout) == (69, "")
    assert shown.stderr.startswith(f"evenpost: {path}: there is no such socket.")


def test_the_daemon_has_ended(evenpost_before, scripted_servers):
    evenpost = evenpost_before(*scripted_servers())
    evenpost.kill()
    shown = status("-c", evenpost.file)
    path = evenpost.configuration["admin"]["socket"]
    assert shown.returncode == 69
    assert shown.stderr == f"evenpost: {path}: nobody listens at it. Does evenpost run?\n"


def test_no_file_and_none_named(scratch):
    if os.path.exists("/etc/evenpost/evenpost.yaml"):
        pytest.skip("this machine has a configuration")
    if os.path.exists("/run/evenpost/admin.sock"):
        pytest.skip("this machine has an evenpost")
    shown = status()
    assert shown.returncode == 69
    assert "/run/evenpost/admin.sock" in shown.stderr


@pytest.mark.parametrize(
    "bytes_",
    [
        b"220 mx.example ESMTP\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{",
        b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
        b"",
    ],
    ids=["SMTP", "half a body", "half a value", "a refusal", "nothing"],
)
def test_another_one_is_there(answer, path, bytes_):
    answer(bytes_)
    shown = status("--socket", path)
    assert (shown.returncode, shown.stdout) == (69, "")
    assert shown.stderr.startswith(f"evenpost: {path}: ")


def test_an_endless_answer_ends(answer, path):
    answer(b"HTTP/1.1 200 OK\r\n\r\n" + b" " * (17 << 20))
    shown = status("--socket", path)
    assert shown.returncode == 69
    assert "longer than 16 MB" in shown.stderr


def test_no_permission(evenpost_before, scripted_servers):
    if os.geteuid() != 0:
        pytest.skip("only root can be somebody else")
    evenpost = evenpost_before(*scripted_servers())
    path = evenpost.configuration["admin"]["socket"]
    shown = status("--socket", path, user="nobody", extra_groups=[])
    assert shown.returncode == 77
    assert shown.stderr.startswith(f"evenpost: {path}: permission denied.")


def test_a_bad_configuration(scratch):
    file = scratch / "evenpost.yaml"
    file.write_text("listeners: {in: {bind: 127.0.0.1:25, pool: p}}\n")
    shown = status("-c", file)
    assert (shown.returncode, shown.stdout) == (78, "")
    assert "pools" in shown.stderr


def test_a_socket_that_is_off(scratch):
    file = scratch / "evenpost.yaml"
    file.write_text(
        "admin: {socket: off}\n"
        "listeners: {in: {bind: 127.0.0.1:25, pool: p}}\n"
        "pools: {p: {servers: {s: 10.0.0.1:25}}}\n"
    )
    shown = status("-c", file)
    assert shown.returncode == 69
    assert shown.stderr.startswith(f"evenpost: {file}: admin.socket is off")


@pytest.mark.parametrize(
    "arguments",
    [("--bogus",), ("hubs",), ("-c",), ("-c", "file", "--socket", "path")],
    ids=" ".join,
)
def test_wrong_usage(arguments):
    shown = status(*arguments)
    assert shown.returncode == 64
    assert "usage: evenpost status" in shown.stderr
