"""evenpost-load: what it sends, counts and reports."""

import re
import signal
import subprocess

import pytest

from harness.evenpost import built_program
from harness.raw_client import RawClient
from harness.tools import run_load, stored_messages
from harness.waiting import free_port, wait_until

# How a transaction can be cut into writes.
WAYS = [[], ["--pipelining"], ["--chunking"], ["--pipelining", "--chunking"]]


@pytest.mark.parametrize("pipelining", [[], ["--pipelining"]])
@pytest.mark.parametrize("chunking", [[], ["--chunking"]])
@pytest.mark.parametrize("lmtp", [[], ["--lmtp"]])
def test_counts_agree_with_the_sink(sink, pipelining, chunking, lmtp):
    server = sink(*lmtp)
    shape = ["-n", 60, "-c", 4, "-m", 7, "-s", 3000, "-r", 3]
    report = run_load(server.address, *shape, *pipelining, *chunking, *lmtp)
    totals = server.stop()
    assert report.status == 0
    assert report["accepted"] == totals["messages"] == totals["transactions"] == 60
    assert report["recipients"] == totals["recipients"] == 180
    assert report["bytes"] == totals["bytes"] == 60 * 3000
    assert report["connections"] == totals["connections"] == totals["commands"]["quit"]
    assert totals["commands"]["bdat" if chunking else "data"] == 60
    assert totals["commands"]["refused"] == 0
    assert report.failures == {}
    assert report["latency_ms"]["message"]["count"] == 60


def test_messages_per_connection(sink):
    server = sink()
    assert run_load(server.address, "-n", 10, "-m", 4)["connections"] == 3
    assert run_load(server.address, "-n", 10)["connections"] == 1


@pytest.mark.parametrize(
    "size", [150, 151, 152, 220, 222, 223, 224, 295, 296, 1024, 1000003]
)
@pytest.mark.parametrize("chunking", [[], ["--chunking"]])
def test_message_has_the_size_it_should(sink, scratch, size, chunking):
    server = sink("--maildir", scratch / "mail")
    assert run_load(server.address, "-s", size, *chunking)["bytes"] == size
    [message] = stored_messages(scratch / "mail")
    assert len(message[2]) == size
    assert message[2].endswith(b"\r\n")
    assert b"\n" not in message[2].replace(b"\r\n", b"")
    assert b"\r" not in message[2].replace(b"\r\n", b"")


def test_size_is_never_below_the_header(sink):
    server = sink()
    report = run_load(server.address, "-s", 1)
    assert report["bytes"] == server.stop()["bytes"] > 100


def test_envelope(sink, scratch):
    server = sink("--maildir", scratch / "mail")
    envelope = ["--from", "me@a.example", "--to", "u%d@b.example", "-r", 2, "-n", 2]
    run_load(server.address, *envelope)
    kept = sorted(message[:2] for message in stored_messages(scratch / "mail"))
    assert kept == [
        (["me@a.example"], ["u1@b.example", "u2@b.example"]),
        (["me@a.example"], ["u3@b.example", "u4@b.example"]),
    ]


def test_a_group_longer_than_any_buffer(sink):
    server = sink()
    assert run_load(server.address, "-p", "-r", 10000, "-n", 2).status == 0
    assert server.stop()["recipients"] == 20000


@pytest.mark.parametrize("pipelining", [[], ["--pipelining"]])
def test_addresses_in_utf8_ask_for_it(sink, scratch, pipelining):
    server = sink("--maildir", scratch / "mail")
    to = ["--to", "g\u00fcnter%d@b.example"]
    assert run_load(server.address, *to, *pipelining).status == 0
    [message] = stored_messages(scratch / "mail")
    assert message[1] == ["g\u00fcnter1@b.example"]


@pytest.mark.parametrize("chunking", [[], ["--chunking"]])
def test_body_from_a_file(sink, scratch, chunking):
    server = sink("--maildir", scratch / "mail")
    body = b"Subject: own\r\n\r\n.\r\n..dots\r\n8bit \xff\r\n"
    (scratch / "body").write_bytes(body)
    report = run_load(server.address, "--body", scratch / "body", *chunking)
    [message] = stored_messages(scratch / "mail")
    first, _, rest = message[2].partition(b"\r\n")
    assert first.startswith(b"X-Load-Id: ")
    assert rest == body
    assert report["bytes"] == server.stop()["bytes"]


def test_log_has_every_message_under_its_id(sink, scratch):
    fault = "end=reply:451 4.3.0 no@3"
    server = sink("--journal", scratch / "journal", "--fault", fault)
    report = run_load(server.address, "-n", 9, "-c", 3, "--log", scratch / "log")
    lines = [line.split(" ", 2) for line in (scratch / "log").read_text().splitlines()]
    accepted = {line[0] for line in lines if line[1] == "accepted"}
    failed = [line for line in lines if line[1] == "failed"]
    kept = re.findall(r" load_id=(\S+) ", (scratch / "journal").read_text())
    assert report.status == 1
    assert len(lines) == 9 and len(kept) == 8
    assert accepted == set(kept)
    assert [line[2] for line in failed] == ["451 4.3.0 no"]


@pytest.mark.parametrize("pipelining", [[], ["--pipelining"]])
@pytest.mark.parametrize(
    "fault, failures",
    [
        ("greeting=reply:421 4.3.2 no@1", {"greeting 421 4.3.2": 1}),
        ("greeting=reply:554 no@1", {"greeting 554": 1}),
        ("greeting=drop@1", {"greeting lost": 1}),
        ("greeting=garbage@1", {"greeting broken reply": 1}),
        ("ehlo=drop@1", {"hello lost": 1}),
        ("mail=reply:451 4.3.0 no@2", {"mail 451 4.3.0": 1}),
        ("mail=reply:421 4.3.2 no@2", {"mail 421 4.3.2": 1}),
        ("rcpt=reply:550 5.1.1 no@2", {"rcpt 550 5.1.1": 1}),
        ("rcpt=drop@2", {"rcpt lost": 1}),
        ("data=reply:451 4.3.0 no@2", {"data 451 4.3.0": 1}),
        ("data=reset@2", {"data lost": 1}),
        ("end=drop@2", {"end lost": 1}),
        ("end=reply:552 5.3.4 no@2", {"end 552 5.3.4": 1}),
    ],
)
def test_each_failure_has_its_name(sink, fault, failures, pipelining):
    server = sink("--fault", fault)
    report = run_load(server.address, "-n", 5, *pipelining)
    assert report.status == 1
    assert report.failures == failures
    assert (report["accepted"], report["failed"]) == (4, 1)
    assert server.stop()["messages"] in (4, 5)


@pytest.mark.parametrize("pipelining", [[], ["--pipelining"]])
def test_octets_nobody_asked_for_cost_the_connection_alone(sink, pipelining):
    server = sink("--fault", "end=extra:250 unasked\\r\\n@2")
    report = run_load(server.address, "-n", 5, *pipelining)
    assert report.status == 0
    assert report["accepted"] == 5
    assert report.failures == {"idle broken reply": 1}
    assert report["connections"] == 2


def test_refused_connection_is_a_failure_of_its_message():
    report = run_load(f"127.0.0.1:{free_port()}", "-n", 3, "-c", 2)
    assert report.status == 1
    assert report.failures == {"connect refused": 3}
    assert report["failed"] == 3


def test_silent_server_is_a_timeout(sink):
    server = sink("--fault", "data=silence@1")
    report = run_load(server.address, "-n", 2, "--timeout", "2s")
    assert report.failures == {"data timeout": 1}
    assert report["accepted"] == 1


@pytest.mark.parametrize("options", WAYS)
def test_some_recipients_refused(sink, options):
    server = sink("--refuse-recipient", "*2@*=550 5.1.1 no")
    report = run_load(server.address, "-r", 3, *options)
    assert report.status == 1
    assert report["accepted"] == 1
    assert (report["recipients"], report["recipients_failed"]) == (2, 1)
    assert report.failures == {"rcpt 550 5.1.1": 1}


@pytest.mark.parametrize("options", WAYS)
def test_all_recipients_refused(sink, options):
    server = sink("--refuse-recipient", "*=550 5.1.1 no")
    report = run_load(server.address, "-r", 2, "-n", 3, *options)
    assert report["failed"] == 3
    assert report["recipients_failed"] == 6
    assert server.stop()["messages"] == 0


def test_all_recipients_refused_and_354_all_the_same(sink):
    """An empty message ends the transaction; it is no success."""
    server = sink("--fault", "rcpt=raw:550 5.1.1 no\\r\\n")
    report = run_load(server.address, "-p", "-n", 2, "--timeout", "30s")
    assert report.failures == {"rcpt 550 5.1.1": 2}
    assert report["failed"] == 2
    totals = server.stop()
    assert (totals["messages"], totals["bytes"]) == (2, 0)


def test_lmtp_recipient_refused_at_the_end(sink):
    server = sink("--lmtp", "--refuse-at-end", "*2@*=452 4.2.2 full")
    report = run_load(server.address, "--lmtp", "-r", 3)
    assert report.status == 1
    assert report.failures == {"end 452 4.2.2": 1}
    assert report["recipients_failed"] == 1


def test_reply_in_the_middle_of_the_body_ends_the_connection(sink):
    early = ["--fault", "body=reply:552 5.3.4 enough@1"]
    server = sink(*early, "--fault", "body=delay:300ms@1")
    report = run_load(server.address, "-n", 2, "-s", "20m")
    assert report.failures == {"body 552 5.3.4": 1}
    assert report["accepted"] == 1


def test_split_replies_are_read(sink):
    faults = ["greeting=split", "ehlo=split", "end=split", "mail=split"]
    server = sink(*[part for fault in faults for part in ("--fault", fault)])
    assert run_load(server.address, "-n", 2)["accepted"] == 2


def test_helo_after_ehlo_was_refused(sink):
    server = sink("--no-ehlo")
    assert run_load(server.address).status == 0
    assert server.stop()["commands"]["ehlo"] == 2


def test_connect_only(sink):
    server = sink()
    report = run_load(server.address, "--connect-only", "-n", 20, "-c", 3)
    totals = server.stop()
    assert (report["unit"], report["accepted"]) == ("sessions", 20)
    assert totals["connections"] == totals["commands"]["quit"] == 20
    assert totals["commands"]["ehlo"] == 0


def test_rate_limits_the_start(sink):
    report = run_load(sink().address, "-n", 20, "-c", 4, "--rate", "50/s")
    assert report["accepted"] == 20
    assert report["seconds"] >= 19 / 50


def test_seconds_end_the_run(sink):
    server = sink()
    report = run_load(server.address, "--seconds", 1, "--rate", "40/s")
    assert report.status == 0
    assert 0 < report["accepted"] == server.stop()["messages"] <= 40


@pytest.mark.parametrize("ehlo", [[], ["--ehlo"]])
def test_idle_connections_stay_until_a_signal(sink, ehlo):
    server = sink()
    command = [built_program("evenpost-load"), "--idle", "30", *ehlo, server.address]
    hellos = 30 * len(ehlo)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as load:
        assert load.stdout.readline() == "idle 30\n"
        wait_until(lambda: server.totals()["open"] == 30, "the connections")
        wait_until(lambda: server.totals()["commands"]["ehlo"] == hellos, "EHLO")
        load.send_signal(signal.SIGTERM)
        assert load.wait(30) == 0


def test_idle_connection_lost_is_a_failure(sink):
    server = sink("--fault", "greeting=drop-after-reply@1")
    command = [built_program("evenpost-load"), "--idle", "2", server.address]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as load:
        assert load.stdout.readline().startswith("idle ")
        wait_until(lambda: server.totals()["open"] == 1, "the loss")
        load.send_signal(signal.SIGTERM)
        assert load.wait(30) == 1


def test_signal_ends_the_run_with_a_report(sink):
    server = sink("--fault", "end=silence@3")
    command = [built_program("evenpost-load"), "-n", "5", server.address]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as load:
        wait_until(lambda: server.totals()["messages"] == 3, "three messages")
        load.send_signal(signal.SIGINT)
        output = load.stdout.read()
        assert load.wait(30) == 1
    assert output.startswith("2 messages accepted, 1 failed")
    assert "stopped in flight" in output


def test_what_was_accepted_outlives_a_kill(sink, scratch):
    """The log and the journal can be compared after a SIGKILL: that is their purpose."""
    keeping = ["--maildir", scratch / "mail", "--journal", scratch / "journal"]
    server = sink(*keeping)
    options = ["-c", "5", "-n", "100000", "--log", scratch / "log"]
    command = [built_program("evenpost-load"), *options, server.address]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as load:
        wait_until(lambda: server.totals()["messages"] > 100, "some messages")
        server.kill()
        load.send_signal(signal.SIGTERM)
        assert load.wait(30) == 1
    lines = [line.split(" ") for line in (scratch / "log").read_text().splitlines()]
    accepted = {line[0] for line in lines if line[1] == "accepted"}
    kept = re.findall(r" load_id=(\S+) ", (scratch / "journal").read_text())
    files = [message[2] for message in stored_messages(scratch / "mail")]
    in_files = {re.match(rb"X-Load-Id: (\S+)", text)[1].decode() for text in files}
    assert len(accepted) > 50
    assert len(kept) == len(set(kept))
    assert accepted <= set(kept) <= in_files


def test_source_address(sink):
    assert run_load(sink().address, "--source", "127.0.0.9").status == 0


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["localhost:25"],
        ["127.0.0.1:25", "127.0.0.1:26"],
        ["-n", "0", "127.0.0.1:25"],
        ["-c", "x", "127.0.0.1:25"],
        ["--rate", "5", "127.0.0.1:25"],
        ["--size", "1t", "127.0.0.1:25"],
        ["--to", "a\r\nDATA", "127.0.0.1:25"],
        ["--timeout", "0", "127.0.0.1:25"],
        ["--source", "here", "127.0.0.1:25"],
        ["--unknown", "127.0.0.1:25"],
    ],
)
def test_usage_errors(options):
    done = subprocess.run(
        [built_program("evenpost-load"), *options], capture_output=True, check=False
    )
    assert done.returncode == 64
    assert done.stdout == b""


def test_missing_body_is_told():
    command = [built_program("evenpost-load"), "--body", "/nowhere", "127.0.0.1:25"]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 71
    assert b"/nowhere" in done.stderr


def test_help_and_version():
    for option, start in ("--help", b"Usage: "), ("--version", b"evenpost-load "):
        command = [built_program("evenpost-load"), option]
        done = subprocess.run(command, capture_output=True, check=True)
        assert done.stdout.startswith(start)


def test_raw_client_is_greeted(sink):
    """The harness and the sink agree on what a greeting is."""
    with RawClient(sink().port) as client:
        client.expect(220)
