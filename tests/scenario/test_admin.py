"""What evenpost says of itself over HTTP: the page, readiness, metrics, /api/v1."""

import base64
import http.client
import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import threading

import pytest

from harness.evenpost import Evenpost, configure_pool
from harness.raw_client import RawClient
from harness.scripted_server import EXTENSIONS, Wait
from harness.waiting import LIMIT, wait_until

MESSAGE = b"Subject: hello\r\n\r\nhello\r\n"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
SAMPLE = re.compile(r"(\w+)(?:\{(.*)\})? (\S+)")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')

SERVER_KEYS = {
    "name": str,
    "address": str,
    "state": str,
    "weight": int,
    "preference": int,
    "active": int,
    "held": int,
    "messages": int,
    "recipients": int,
    "bytes": int,
    "share_wanted": float,
    "share": float,
    "failures": dict,
    "fault": type(None),
    "last_probe": dict,
}


def begin_message(client, recipients=("bob@b.example",)):
    client.command("MAIL FROM:<ann@a.example>", 250)
    for recipient in recipients:
        client.command(f"RCPT TO:<{recipient}>", 250)
    client.command("DATA", 354)
    client.send(MESSAGE + b".\r\n")


def send_messages(evenpost, count, recipients=("bob@b.example",)):
    with RawClient(evenpost.port) as client:
        client.hello()
        for _ in range(count):
            begin_message(client, recipients)
            client.expect(250)
        client.command("QUIT", 221)


def read_metrics(evenpost):
    """{(name, {label: value} as a frozenset): value}"""
    status, body = evenpost.get("/metrics")
    assert status == 200
    samples = {}
    for line in body.decode().splitlines():
        if line.startswith("#"):
            continue
        name, labels, value = SAMPLE.fullmatch(line).groups()
        key = (name, frozenset(LABEL.findall(labels or "")))
        assert key not in samples, f"twice: {line}"
        samples[key] = float(value)
    return samples


def metric(evenpost, name, **labels):
    """The sum of the samples with these labels."""
    wanted = set(labels.items())
    found = [
        value
        for (sample, has), value in read_metrics(evenpost).items()
        if sample == name and wanted <= has
    ]
    assert found, f"no {name} with {labels}"
    return sum(found)


def request(evenpost, method, path, body=None, **headers):
    """The whole answer of one request: (status, headers, body)."""
    connection = http.client.HTTPConnection("127.0.0.1", evenpost.http_port, timeout=LIMIT)
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, answer.headers, content


def test_pools_have_the_contract_s_shape(evenpost_before, scripted_servers):
    servers = scripted_servers(2)
    evenpost = evenpost_before(*servers)
    status, headers, body = request(evenpost, "GET", "/api/v1/pools")
    answer = json.loads(body)

    assert (status, headers["Content-Type"]) == (200, "application/json")
    assert list(answer) == ["pools"]
    (pool,) = answer["pools"]
    assert list(pool) == ["name", "balance", "servers"]
    assert (pool["name"], pool["balance"]) == ("hubs", "round-robin")
    for server, shown in zip(servers, pool["servers"], strict=True):
        assert {key: type(value) for key, value in shown.items()} == SERVER_KEYS
        assert shown["address"] == server.address
        assert (shown["state"], shown["share_wanted"], shown["share"]) == ("up", 0.5, 0)
        assert shown["failures"] == dict.fromkeys(
            ("connect", "greeting", "timeout", "lost", "4xx", "5xx", "tls"), 0
        )


def test_last_probe_is_told_with_its_transcript(evenpost_before, scripted_servers):
    evenpost = evenpost_before(*scripted_servers())
    probe = evenpost.pools()["hubs"]["s1"]["last_probe"]

    assert probe["result"] == "ok"
    assert probe["took_ms"] > 0
    assert TIME.fullmatch(probe["at"])
    assert probe["transcript"][:2] == [
        "S: 220 scripted.test ESMTP",
        "C: EHLO evenpost.test",
    ]
    assert probe["transcript"][-2:] == ["C: QUIT", "S: 221 2.0.0 Bye"]


def test_what_was_counted_is_in_pools_status_and_metrics(
    evenpost_before, scripted_servers
):
    evenpost = evenpost_before(*scripted_servers(3))
    send_messages(evenpost, 9, ("bob@b.example", "cat@c.example"))

    for name, server in evenpost.pools()["hubs"].items():
        assert (server["messages"], server["recipients"]) == (3, 6)
        assert server["share"] == pytest.approx(1 / 3, abs=1e-5)
        assert server["bytes"] >= 3 * len(MESSAGE)
        assert (
            metric(evenpost, "evenpost_messages_total", server=name, result="accepted")
            == 3
        )
        assert metric(evenpost, "evenpost_recipients_total", server=name) == 6
        assert (
            metric(evenpost, "evenpost_bytes_total", server=name) == server["bytes"]
        )
        assert metric(evenpost, "evenpost_server_reply_seconds_count", server=name) == 3

    totals = json.loads(evenpost.get("/api/v1/status")[1])["totals"]
    assert (totals["sessions"], totals["messages"], totals["recipients"]) == (1, 9, 18)
    assert metric(evenpost, "evenpost_message_seconds_count") == 9
    assert metric(evenpost, "evenpost_sessions_total", listener="inbound") == 1


def test_status_names_the_process_and_its_listeners(evenpost_before, scripted_servers):
    evenpost = evenpost_before(*scripted_servers())
    with RawClient(evenpost.port) as client:
        client.hello()
        status = json.loads(evenpost.get("/api/v1/status")[1])

    assert status["pid"] == evenpost.program.pid
    assert status["hostname"] == "evenpost.test"
    assert TIME.fullmatch(status["started"])
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*", status["version"])
    assert status["listeners"] == [
        {
            "name": "inbound",
            "bind": [f"127.0.0.1:{evenpost.port}"],
            "mode": "message",
            "pool": "hubs",
            "pools": ["hubs"],
            "sessions": 1,
            "active": 1,
        }
    ]


def test_a_message_in_flight_is_active(evenpost_before, scripted_servers):
    (server,) = scripted_servers()
    evenpost = evenpost_before(server)
    release = threading.Event()
    server.on("end", Wait(release, "250 2.0.0 Ok"))
    with RawClient(evenpost.port) as client:
        client.hello()
        begin_message(client)
        assert evenpost.pools()["hubs"]["s1"]["active"] == 1
        assert metric(evenpost, "evenpost_server_active", server="s1") == 1
        assert metric(evenpost, "evenpost_sessions_active") == 1
        release.set()
        client.expect(250)
    wait_until(lambda: metric(evenpost, "evenpost_sessions_active") == 0, "the end")
    assert evenpost.pools()["hubs"]["s1"]["active"] == 0


def test_a_rejected_message_is_counted_as_such(evenpost_before, scripted_servers):
    (server,) = scripted_servers()
    evenpost = evenpost_before(server)
    server.on("end", "550 5.7.1 no")
    with RawClient(evenpost.port) as client:
        client.hello()
        begin_message(client)
        client.expect(550)

    assert metric(evenpost, "evenpost_messages_total", result="rejected") == 1
    assert metric(evenpost, "evenpost_messages_total", result="accepted") == 0
    assert evenpost.pools()["hubs"]["s1"]["failures"]["5xx"] == 1


def test_a_server_that_goes_is_shown_at_once(evenpost_before, scripted_servers):
    first, second = scripted_servers(2)
    evenpost = evenpost_before(first, second)
    first.stop()
    evenpost.wait_state("s1", "down")
    shown = evenpost.pools()["hubs"]

    assert (shown["s1"]["share_wanted"], shown["s2"]["share_wanted"]) == (0, 1)
    assert shown["s1"]["last_probe"]["result"] != "ok"
    for state in ("up", "down", "drain", "maint", "ejected"):
        value = metric(evenpost, "evenpost_server_state", server="s1", state=state)
        assert value == (state == "down"), state


def test_a_retry_is_counted_with_its_phase(evenpost_before, scripted_servers):
    first, second = scripted_servers(2)
    evenpost = evenpost_before(first, second, pool={"health": {"probe": "none"}})
    first.on("greeting", "421 4.3.2 busy")
    send_messages(evenpost, 2)
    failed = evenpost.pools()["hubs"]["s1"]["failures"]["greeting"]

    assert failed > 0
    for name, labels in (
        ("evenpost_retries_total", {"phase": "greeting"}),
        ("evenpost_server_connects_total", {"result": "failed"}),
    ):
        assert metric(evenpost, name, server="s1", **labels) == failed, name


def test_not_ready_until_each_server_was_probed(evenpost_before, scripted_servers):
    (server,) = scripted_servers()
    release = threading.Event()
    server.on("greeting", Wait(release, "220 scripted.test ESMTP"))
    evenpost = evenpost_before(server, ready=False)
    evenpost.program.wait_alive(lambda: evenpost.get("/livez")[0] == 200, "/livez")

    assert evenpost.get("/readyz") == (503, b"not ready\n")
    assert b"[-] pool hubs: no probe result yet of s1\n" in (
        evenpost.get("/readyz?verbose")[1]
    )
    release.set()
    evenpost.wait_ready()
    assert evenpost.get("/readyz")[1] == b"ready\n"


def test_not_ready_without_a_server(evenpost_before, scripted_servers):
    (server,) = scripted_servers()
    evenpost = evenpost_before(server)
    server.stop()
    evenpost.wait_state("s1", "down")
    status, body = evenpost.get("/readyz?verbose")

    assert status == 503
    assert b"[-] listener inbound: no server is up in pool hubs\n" in body
    assert evenpost.get("/livez")[0] == evenpost.get("/healthz")[0] == 200


UNANNOUNCED = (
    b"[-] listener inbound: no server that is up gets mail in pool hubs: "
    b"s1 does not announce XCLIENT to 127.0.0.1: "
)
ANNOUNCES = {"extensions": (*EXTENSIONS, "XCLIENT NAME ADDR")}
UNPROBED = {"health": {"probe": "none"}}


def send_refused(evenpost):
    with RawClient(evenpost.port) as client:
        client.hello()
        client.command("MAIL FROM:<ann@a.example>", 250)
        client.command("RCPT TO:<bob@b.example>", 451)


def test_not_ready_where_no_server_takes_the_identity(evenpost_before, scripted_servers):
    """Probes find it, and find it mended: no mail has to come for that."""
    servers = scripted_servers(2)
    evenpost = evenpost_before(*servers, pool={"identity": "xclient"})
    for name in ("s1", "s2"):
        evenpost.wait_event("fault", server=name)
    status, body = evenpost.get("/readyz?verbose")
    assert status == 503 and evenpost.get("/livez")[0] == 200
    assert UNANNOUNCED in body and b"_hosts; and others\nnot ready\n" in body
    assert {s["state"] for s in evenpost.pools()["hubs"].values()} == {"up"}

    servers[1].extensions = ANNOUNCES["extensions"]
    evenpost.wait_ready()
    send_messages(evenpost, 2)
    assert len(servers[1].messages) == 2


def test_ready_with_one_server_that_can_be_used(evenpost_before, scripted_servers):
    bad, good = *scripted_servers(), *scripted_servers(**ANNOUNCES)
    evenpost = evenpost_before(bad, good, pool={"identity": "xclient"})
    evenpost.wait_event("fault", server="s1")
    assert evenpost.get("/readyz")[0] == 200
    good.stop()
    evenpost.wait_state("s2", "down")
    assert UNANNOUNCED in evenpost.get("/readyz?verbose")[1]


def test_not_ready_as_traffic_finds_out(evenpost_before, scripted_servers):
    """Without a probe, until a client is served."""
    (server,) = scripted_servers()
    evenpost = evenpost_before(server, pool={"identity": "xclient", **UNPROBED})
    assert evenpost.get("/readyz")[0] == 200
    send_refused(evenpost)
    assert UNANNOUNCED in evenpost.get("/readyz?verbose")[1]
    assert evenpost.get("/readyz")[0] == 503
    server.extensions = ANNOUNCES["extensions"]
    send_messages(evenpost, 1)
    assert evenpost.get("/readyz")[0] == 200


# What a server may do with one client and not with another, or once and not again:
# settings of the pool and of the server, and what it does.
WITH_ONE = {
    "a value of XCLIENT": (
        {"identity": "xclient"},
        ANNOUNCES,
        {"xclient": "501 5.5.4 Bad NAME syntax"},
    ),
    "the client of XCLIENT": (
        {"identity": "xclient"},
        ANNOUNCES,
        {"xclient": "550 5.7.0 not this one"},
    ),
    "a parameter of XCLIENT": (
        {"identity": "xclient"},
        ANNOUNCES,
        {"xclient": "504 5.5.4 no such thing"},
    ),
    "XFORWARD for now": (
        {"identity": "xforward"},
        {"extensions": (*EXTENSIONS, "XFORWARD NAME ADDR")},
        {"xforward": "450 4.3.0 later"},
    ),
    "the name behind PROXY": (
        {"identity": "proxy-v2"},
        {"expects_proxy": True},
        {"ehlo": "502 5.5.2 not with this name"},
    ),
    "no STARTTLS behind PROXY": (
        {"identity": "proxy-v2", "tls": "require"},
        {"expects_proxy": True},
        {},
    ),
    "AUTH behind XCLIENT": (
        {"identity": "xclient", "auth": True},
        {"extensions": (*EXTENSIONS, "XCLIENT NAME ADDR", "AUTH PLAIN")},
        {"auth": "550 5.7.1 not for this one"},
    ),
    "no AUTH behind XCLIENT": (
        {"identity": "xclient", "auth": True},
        ANNOUNCES,
        {},
    ),
}


@pytest.mark.parametrize("row", WITH_ONE)
def test_one_client_makes_nothing_unready(
    evenpost_before, scripted_servers, scratch, row
):
    """It is told, and neither readiness nor the server's state says so of all."""
    pool, server_keys, actions = WITH_ONE[row]
    servers = scripted_servers(2, **server_keys)
    for server in servers:
        for stage, action in actions.items():
            server.on(stage, action)
    if pool.get("auth"):
        pool = {**pool, "auth": write_login(scratch)}
    passive = {"failures": 1, "eject": "1h"}
    evenpost = evenpost_before(*servers, pool={**pool, **UNPROBED, "passive": passive})
    send_refused(evenpost)
    for name, shown in evenpost.pools()["hubs"].items():
        evenpost.wait_event("fault", server=name)
        assert shown["fault"] and shown["state"] == "up"
        assert sum(shown["failures"].values()) == 1
        assert metric(evenpost, "evenpost_server_fault", server=name) == 1
    assert evenpost.get("/readyz")[0] == 200


def test_ready_where_starttls_is_refused_for_now(evenpost_before, scripted_servers):
    (server,) = scripted_servers(extensions=(*EXTENSIONS, "STARTTLS"))
    server.on("other", "454 4.7.0 not now")
    evenpost = evenpost_before(
        server, pool={"tls": "require", "passive": {"failures": 0}, **UNPROBED}
    )
    send_refused(evenpost)
    evenpost.wait_event("fault", server="s1")
    assert evenpost.get("/readyz")[0] == 200
    server.on("other", "502 5.5.1 not at all")
    send_refused(evenpost)
    assert b"s1 offers, and then refuses, STARTTLS" in evenpost.get("/readyz?verbose")[1]
    assert evenpost.get("/readyz")[0] == 503


def test_ready_where_a_full_server_refuses_before_tls(evenpost_before, scripted_servers):
    """In clear, where TLS is implicit: it is no wrong port for that."""
    (server,) = scripted_servers()
    server.on("greeting", "421 4.3.2 too many connections")
    evenpost = evenpost_before(
        server, pool={"tls": "implicit", "passive": {"failures": 0}, **UNPROBED}
    )
    send_refused(evenpost)
    evenpost.wait_event("fault", server="s1")
    assert evenpost.get("/readyz")[0] == 200
    server.on("greeting", "220 scripted.test ESMTP")
    send_refused(evenpost)
    assert b"s1 speaks SMTP in clear" in evenpost.get("/readyz?verbose")[1]


def test_not_ready_where_a_proxy_header_is_a_command(evenpost_before, scripted_servers):
    """An answer that nobody asked for, behind the greeting, is not about a client."""
    (server,) = scripted_servers()
    server.on("greeting", "220 scripted.test\n500 5.5.2 command not recognized")
    evenpost = evenpost_before(server, pool={"identity": "proxy-v1", **UNPROBED})
    send_refused(evenpost)
    assert b"s1 does not understand a PROXY header" in evenpost.get("/readyz?verbose")[1]
    assert evenpost.get("/readyz")[0] == 503


def write_login(directory):
    """Of evenpost's own; the auth of a pool."""
    password = directory / "password"
    password.write_text("wrong\n")
    password.chmod(0o600)
    return {"username": "hub", "password-file": str(password)}


def test_not_ready_while_no_server_takes_our_login(
    evenpost_before, scripted_servers, scratch
):
    """Until there is a new password: then it is worth a try."""
    (server,) = scripted_servers(extensions=(*EXTENSIONS, "AUTH PLAIN"))
    auth, password = write_login(scratch), scratch / "password"
    evenpost = evenpost_before(server, pool={"auth": auth})
    server.users = {"hub": "right"}
    assert evenpost.get("/readyz")[0] == 200
    send_refused(evenpost)
    status, body = evenpost.get("/readyz?verbose")
    assert status == 503 and b"s1 does not take the login of hub: " in body
    password.write_text("right\n")
    evenpost.wait_event("tls", why="certificates and passwords taken over")
    evenpost.wait_ready()
    send_messages(evenpost, 1)


def test_ready_where_mail_goes_in_clear(evenpost_before, scripted_servers):
    """A fault that lets mail pass: the pool has it so."""
    (server,) = scripted_servers(extensions=(*EXTENSIONS, "STARTTLS"))
    evenpost = evenpost_before(server, pool={"tls": "may", "tls-fallback": True})
    send_messages(evenpost, 1)
    evenpost.wait_event("fault", server="s1")
    assert evenpost.pools()["hubs"]["s1"]["fault"]
    assert evenpost.get("/readyz")[0] == 200


def test_ready_without_auth_for_clients(evenpost_before, scripted_servers):
    """They can not log in, and mail of others passes."""
    evenpost = evenpost_before(*scripted_servers(), listener={"auth": "relay-insecure"})
    evenpost.wait_event("fault", server="s1")
    assert evenpost.get("/readyz")[0] == 200
    send_messages(evenpost, 1)


def test_alive_and_not_ready_while_it_stops(evenpost_before, scripted_servers):
    (server,) = scripted_servers()
    evenpost = evenpost_before(server)
    release = threading.Event()
    server.on("end", Wait(release, "250 2.0.0 Ok"))
    with RawClient(evenpost.port) as client:
        client.hello()
        begin_message(client)
        evenpost.program.signal(signal.SIGTERM)
        wait_until(lambda: evenpost.get("/readyz")[0] == 503, "/readyz to say no")
        assert b"[-] stopping\n" in evenpost.get("/readyz?verbose")[1]
        assert evenpost.get("/livez")[0] == 200
        release.set()
        client.expect(250)
    assert evenpost.program.process.wait(30) == 0


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
def test_promtool_finds_nothing(evenpost_before, scripted_servers):
    evenpost = evenpost_before(*scripted_servers(2))
    send_messages(evenpost, 2)
    checked = subprocess.run(
        ["promtool", "check", "metrics"],
        input=evenpost.get("/metrics")[1],
        capture_output=True,
        check=False,
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


def test_no_label_tells_who_sends_mail(evenpost_before, scripted_servers):
    evenpost = evenpost_before(*scripted_servers())
    send_messages(evenpost, 1)
    for octets in (b"a.example", b"b.example", b"127.0.0.1"):
        assert octets not in evenpost.get("/metrics")[1]


def test_the_page_needs_nothing_from_elsewhere(evenpost_before, scripted_servers):
    evenpost = evenpost_before(*scripted_servers())
    status, headers, page = request(evenpost, "GET", "/")

    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    for name in re.findall(rb'(?:src|href)="([^"]+)"', page):
        if not name.startswith(b"data:"):
            assert evenpost.get("/" + name.decode())[0] == 200, name


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/api/v1", 404),
        ("GET", "/api/v1/pools/", 404),
        ("POST", "/nowhere", 404),
        ("POST", "/api/v1/pools", 405),
        ("DELETE", "/livez", 405),
    ],
)
def test_refusals_are_json(evenpost_before, scripted_servers, method, path, status):
    evenpost = evenpost_before(*scripted_servers())
    got, headers, body = request(evenpost, method, path)

    assert (got, headers["Content-Type"]) == (status, "application/json")
    assert list(json.loads(body)) == ["error"]
    assert headers["Allow"] == ("GET, HEAD" if status == 405 else None)


def test_many_slow_clients_do_not_hold_up_probes(evenpost_before, scripted_servers):
    (server,) = scripted_servers()
    evenpost = evenpost_before(server)
    slow = [RawClient(evenpost.http_port) for _ in range(50)]
    for client in slow:
        client.send(b"GET /metrics HTTP/1.1\r\n")
    probes = metric(evenpost, "evenpost_probe_seconds_count")
    wait_until(
        lambda: metric(evenpost, "evenpost_probe_seconds_count") >= probes + 3,
        "three more probes",
    )
    for client in slow:
        client.close()


@pytest.fixture
def guarded(scratch, scripted_servers):
    """An evenpost that wants a token."""
    (server,) = scripted_servers()
    token = scratch / "token"
    token.write_text("sesame-1234\n")
    evenpost = Evenpost(scratch, {"hubs": configure_pool({"s1": server.address})})
    evenpost.configuration["admin"]["token-file"] = str(token)
    yield evenpost.start()
    evenpost.stop()


def test_without_the_token_only_health_is_told(guarded):
    for path in ("/", "/metrics", "/api/v1/pools", "/api/v1/status", "/nowhere"):
        assert guarded.get(path)[0] == 401, path
    for path in ("/livez", "/healthz", "/readyz"):
        assert guarded.get(path)[0] == 200, path


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        ("Bearer sesame-1234", 200),
        ("Bearer sesame-1235", 401),
        ("Bearer sesame-123", 401),
        ("Bearer", 401),
        ("Basic " + base64.b64encode(b"ann:sesame-1234").decode(), 200),
        ("Basic " + base64.b64encode(b"ann:guess").decode(), 401),
    ],
)
def test_the_token_opens(guarded, authorization, status):
    answer = request(guarded, "GET", "/api/v1/pools", Authorization=authorization)
    assert answer[0] == status
    assert "sesame" not in guarded.program.log()


def ask_socket(path, target):
    """One GET over the UNIX socket: status and body."""
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(str(path))
        request = f"GET {target} HTTP/1.1\r\nHost: evenpost\r\nConnection: close\r\n\r\n"
        peer.sendall(request.encode())
        answer = http.client.HTTPResponse(peer)
        answer.begin()
        return answer.status, answer.read()


def test_the_socket_serves_its_owner_without_the_token(guarded):
    path = guarded.configuration["admin"]["socket"]
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    status, body = ask_socket(path, "/api/v1/status")
    assert status == 200
    assert json.loads(body)["pid"] == guarded.program.pid
    guarded.stop()
    assert not os.path.exists(path)
