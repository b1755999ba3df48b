"""evenpost-sink as a mail server that behaves."""

import os
import smtplib
import socket
import subprocess

import pytest

from harness.evenpost import built_program
from harness.proxy_header import LOCAL, version_1, version_2
from harness.raw_client import RawClient
from harness.tools import read_stored, stored_messages

BODY = b"Subject: x\r\n\r\n.dot\r\n..\r\nbody\r\n"


def send(client, body=BODY, to=("bob@b.example",)):
    """One message over a connection that said EHLO; the last reply."""
    client.command("MAIL FROM:<ann@a.example>", 250)
    for recipient in to:
        client.command(f"RCPT TO:<{recipient}>", 250)
    client.command("DATA", 354)
    stuffed = b"\r\n" + body
    client.send(stuffed.replace(b"\r\n.", b"\r\n..")[2:] + b".\r\n")
    return client.read_reply()


def test_smtplib_sends(sink, scratch):
    server = sink("--maildir", scratch / "mail", "--name", "store.example")
    with smtplib.SMTP("127.0.0.1", server.port) as client:
        code, text = client.ehlo()
        assert (code, text.split(b"\n")[0]) == (250, b"store.example")
        recipients = ["bob@b.example", "c@b.example"]
        assert client.sendmail("ann@a.example", recipients, BODY) == {}
    [message] = stored_messages(scratch / "mail")
    assert message == (["ann@a.example"], recipients, BODY)
    totals = server.stop()
    assert totals["messages"] == 1
    assert totals["recipients"] == 2
    assert totals["transactions"] == 1
    assert totals["bytes"] == len(BODY) + 2  # two dots were stuffed
    assert totals["commands"]["rcpt"] == 2
    assert totals["commands"]["quit"] == 1
    assert totals["open"] == 0


def test_lmtp_answers_each_recipient(sink, scratch):
    server = sink(
        "--lmtp",
        "--maildir",
        scratch / "mail",
        "--refuse-at-end",
        "full@*=452 4.2.2 full",
    )
    with RawClient(server.port) as client:
        client.expect("220 sink.example LMTP")
        client.command("EHLO client.example", 500)
        client.command("LHLO client.example", 250)
        reply = send(client, to=("bob@b.example", "full@b.example", "eve@b.example"))
        assert reply.text.startswith("2.0.0 <bob@b.example> ")
        client.expect("452 4.2.2 full")
        client.expect("250 2.0.0 <eve@b.example> ")
        client.command("NOOP", 250)
    [message] = stored_messages(scratch / "mail")
    assert message[1] == ["bob@b.example", "eve@b.example"]
    assert server.stop()["recipients"] == 2


def test_lmtp_whom_all_refuse_at_the_end_is_not_kept(sink, scratch):
    refusal = ["--refuse-at-end", "*=550 5.2.1 no"]
    server = sink("--lmtp", "--maildir", scratch / "mail", *refusal)
    with smtplib.LMTP("127.0.0.1", server.port) as client:
        with pytest.raises(smtplib.SMTPDataError):
            client.sendmail("a@a.example", ["bob@b.example"], BODY)
    assert stored_messages(scratch / "mail") == []
    assert server.stop()["messages"] == 0


@pytest.mark.parametrize(
    "wire, kept",
    [
        (b"plain\r\n.\r\n", b"plain\r\n"),
        (b".\r\n", b""),
        (b"..\r\n.\r\n", b".\r\n"),
        (b"a\r\n..b\r\n\r\n.\r\n", b"a\r\n.b\r\n\r\n"),
        (b"bare\nlf\r\n.\r\n", b"bare\nlf\r\n"),
        (b"bare\n..lf\r\n.\r\n", b"bare\n..lf\r\n"),
        (b"bare\rcr\r\n.\r\n", b"bare\rcr\r\n"),
        (b"8bit \xff\xfe\r\n.\r\n", b"8bit \xff\xfe\r\n"),
    ],
)
@pytest.mark.parametrize("size", [1, 1000])
def test_maildir_keeps_the_octets_as_they_came(sink, scratch, wire, kept, size):
    server = sink("--maildir", scratch / "mail")
    with RawClient(server.port) as client:
        client.hello()
        client.command("MAIL FROM:<a@a.example>", 250)
        client.command("RCPT TO:<b@b.example>", 250)
        client.command("DATA", 354)
        client.send_split(wire, size)
        client.expect(250)
    [message] = stored_messages(scratch / "mail")
    assert message[2] == kept


def test_message_larger_than_any_buffer_is_kept(sink, scratch):
    server = sink("--maildir", scratch / "mail")
    body = b"".join(b".%d\r\n" % number for number in range(200000))
    with RawClient(server.port) as client:
        client.hello()
        assert send(client, body).code == 250
    [message] = stored_messages(scratch / "mail")
    assert message[2] == body


def test_chunks_are_kept_as_they_came(sink, scratch):
    server = sink("--maildir", scratch / "mail")
    with RawClient(server.port) as client:
        client.hello()
        client.command("MAIL FROM:<a@a.example>", 250)
        client.command("RCPT TO:<b@b.example>", 250)
        client.send(b"BDAT 6\r\n.a\r\n..")
        client.expect(250)
        client.send(b"BDAT 4 LAST\r\nb\n\r\n")
        client.expect(250)
    [message] = stored_messages(scratch / "mail")
    assert message[2] == b".a\r\n..b\n\r\n"
    assert server.stop()["bytes"] == 10


def test_message_is_on_disk_before_its_reply(sink, scratch):
    server = sink("--maildir", scratch / "mail", "--journal", scratch / "journal")
    with RawClient(server.port) as client:
        client.hello()
        for count in range(1, 4):
            send(client, b"X-Load-Id: id-%d\r\n\r\nbody\r\n" % count)
            assert len(stored_messages(scratch / "mail")) == count
            lines = (scratch / "journal").read_text().splitlines()
            assert len(lines) == count
            assert f" load_id=id-{count} " in lines[-1]
            assert lines[-1].endswith(" from=ann@a.example to=bob@b.example")
    assert not list((scratch / "mail" / "tmp").iterdir())


@pytest.mark.parametrize("end", ["RSET", "EHLO again.example", None])
def test_unfinished_message_is_not_kept(sink, scratch, end):
    server = sink("--maildir", scratch / "mail")
    with RawClient(server.port) as client:
        client.hello()
        client.command("MAIL FROM:<a@a.example>", 250)
        client.command("RCPT TO:<b@b.example>", 250)
        client.send(b"BDAT 4\r\nbody")
        client.expect(250)
        if end:
            client.command(end, 250)
    with RawClient(server.port) as client:
        client.expect(220)
    assert server.stop()["messages"] == 0
    assert not stored_messages(scratch / "mail")
    assert not list((scratch / "mail" / "tmp").iterdir()) or not end


def test_envelope_of_one_message_does_not_leak_into_the_next(sink, scratch):
    server = sink("--maildir", scratch / "mail")
    with RawClient(server.port) as client:
        client.hello()
        send(client, to=("one@b.example",))
        send(client, to=("two@b.example", "three@b.example"))
    recipients = sorted(message[1] for message in stored_messages(scratch / "mail"))
    assert recipients == [["one@b.example"], ["two@b.example", "three@b.example"]]


def test_refuses_recipients_by_pattern(sink):
    server = sink(
        "--refuse-recipient",
        "*@bad.example=550 5.1.1 nobody",
        "--refuse-recipient",
        "slow*=450 4.2.0 later",
    )
    with RawClient(server.port) as client:
        client.hello()
        client.command("MAIL FROM:<a@a.example>", 250)
        client.command("RCPT TO:<x@BAD.example>", "550 5.1.1 nobody")
        client.command("RCPT TO:<slow@b.example>", "450 4.2.0 later")
        client.command("RCPT TO:<b@b.example>", 250)


ALL = {
    "PIPELINING",
    "SIZE",
    "8BITMIME",
    "SMTPUTF8",
    "DSN",
    "ENHANCEDSTATUSCODES",
    "CHUNKING",
}


@pytest.mark.parametrize("without", [set(), *({name} for name in sorted(ALL)), ALL])
def test_offers_what_it_is_told(sink, without):
    options = ["--no", ",".join(sorted(without))] if without else []
    with RawClient(sink(*options).port) as client:
        assert set(client.hello()) == ALL - without


def test_size_is_announced_and_kept(sink):
    with RawClient(sink("--size", "1k").port) as client:
        assert client.hello()["SIZE"] == "1024"
        client.command("MAIL FROM:<a@a.example> SIZE=1025", 552)
        assert send(client, b"x" * 1023 + b"\r\n").code == 552
        assert send(client, b"x" * 1000 + b"\r\n").code == 250


def test_no_ehlo_leaves_helo(sink):
    with RawClient(sink("--no-ehlo").port) as client:
        client.expect(220)
        client.command("EHLO client.example", 502)
        client.command("HELO client.example", 250)
        assert send(client).code == 250


@pytest.mark.parametrize(
    "header",
    [
        version_1(("192.0.2.7", 4711)),
        version_2(("192.0.2.7", 4711)),
        version_2(command=LOCAL),
    ],
    ids=["version 1", "version 2", "local"],
)
@pytest.mark.parametrize("size", [1, 1000])
def test_proxy_header_comes_before_the_greeting(sink, header, size):
    with RawClient(sink("--proxy").port) as client:
        client.send_split(header, size)
        client.hello()
        assert send(client).code == 250


def test_what_stands_behind_a_proxy_header_is_the_clients(sink):
    server = sink("--proxy")
    with RawClient(server.port) as client:
        client.send(version_1(("192.0.2.7", 4711)) + b"EHLO client.example\r\nQUIT\r\n")
        client.expect(220)
        client.expect(250)
        client.expect(221)


@pytest.mark.parametrize(
    "octets",
    [b"EHLO client.example\r\n", b"PROXY TCP4 none none 1 2\r\n", b"PRO", b""],
    ids=["none", "malformed", "unfinished", "nothing"],
)
def test_without_a_proxy_header_nobody_is_served(sink, octets):
    with RawClient(sink("--proxy").port) as client:
        client.send(octets)
        client.half_close()
        assert client.read_to_end() == b""


def test_faults_of_the_greeting_wait_for_the_proxy_header(sink):
    with RawClient(sink("--proxy", "--fault", "greeting=reply:421 no").port) as client:
        client.send(version_1(("192.0.2.7", 4711)))
        client.expect("421 no")


@pytest.mark.parametrize("without", [set(), ALL])
def test_xclient_is_announced_last(sink, without):
    options = ["--no", ",".join(sorted(without))] if without else []
    with RawClient(sink("--xclient", *options).port) as client:
        assert list(client.hello().items())[-1] == ("XCLIENT", "NAME ADDR PORT PROTO HELO")
        assert send(client).code == 250


def test_helo_is_not_told_of_xclient(sink):
    with RawClient(sink("--xclient").port) as client:
        client.expect(220)
        assert len(client.command("HELO client.example", 250).lines) == 1


def test_xclient_begins_the_session_anew(sink):
    server = sink("--xclient")
    with RawClient(server.port) as client:
        client.hello()
        client.command("XCLIENT NAME=a.example ADDR=192.0.2.7", "220 sink.example")
        client.command("MAIL FROM:<ann@a.example>", 503)
        client.command("EHLO again.example", 250)
        assert send(client).code == 250
    totals = server.stop()
    assert totals["commands"]["xclient"] == 1
    assert totals["commands"]["refused"] == 1


def test_xclient_behind_other_commands_keeps_their_replies(sink):
    with RawClient(sink("--xclient").port) as client:
        client.expect(220)
        client.send(b"EHLO client.example\r\nNOOP\r\nXCLIENT ADDR=192.0.2.7\r\n")
        client.expect(250)
        client.expect(250)
        client.expect("220 sink.example")
        client.command("EHLO client.example", 250)


def test_xclient_within_a_transaction_is_refused(sink):
    with RawClient(sink("--xclient").port) as client:
        client.hello()
        client.command("MAIL FROM:<ann@a.example>", 250)
        client.command("XCLIENT ADDR=192.0.2.7", 550)
        client.command("RCPT TO:<bob@b.example>", 250)


def test_xclient_is_refused_by_default(sink):
    with RawClient(sink().port) as client:
        client.hello()
        client.command("XCLIENT ADDR=192.0.2.7", 550)


def test_connections_above_the_limit_get_421(sink):
    server = sink("--max-connections", "2")
    with RawClient(server.port) as first, RawClient(server.port) as second:
        first.expect(220)
        second.expect(220)
        with RawClient(server.port) as third:
            third.expect("421 4.7.0")
            assert third.read_to_end() == b""
        first.command("QUIT", 221)
        assert first.read_to_end() == b""
        with RawClient(server.port) as fourth:
            fourth.expect(220)
    assert server.stop()["turned_away"] == 1


def test_group_is_answered_in_one_write(sink):
    with RawClient(sink().port) as client:
        client.hello()
        client.send(b"MAIL FROM:<a@a.example>\r\nRCPT TO:<b@b.example>\r\nDATA\r\n")
        octets = client.socket.recv(4096)
        assert [line[:3] for line in octets.splitlines()] == [b"250", b"250", b"354"]


def test_half_closed_client_gets_its_answers(sink):
    with RawClient(sink().port) as client:
        client.send(b"EHLO client.example\r\nNOOP\r\n")
        client.half_close()
        client.expect(220)
        client.expect(250)
        client.expect(250)
        assert client.read_to_end() == b""


def test_queue_ids_differ(sink):
    with RawClient(sink().port) as client:
        client.hello()
        first, second = send(client), send(client)
        assert first.text.startswith("2.0.0 Ok: queued as ")
        assert first.text != second.text


def test_listens_on_several_addresses(sink, scratch):
    server = sink("--listen", f"unix:{scratch}/socket")
    server.wait_log(r"^listening unix:")
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(f"{scratch}/socket")
        assert client.recv(3) == b"220"
    with RawClient(server.port) as client:
        client.expect(220)


@pytest.mark.parametrize(
    "options",
    [
        ["--listen", "localhost:25"],
        ["--fault", "mail"],
        ["--fault", "nowhere=drop"],
        ["--fault", "mail=nothing"],
        ["--fault", "mail=delay"],
        ["--fault", "mail=delay:long"],
        ["--fault", "mail=reply:hello"],
        ["--fault", "mail=reply:250-unfinished"],
        ["--fault", "mail=early-reply"],
        ["--fault", "body=garbage"],
        ["--fault", "body=slow:0"],
        ["--fault", "mail=raw:\\q"],
        ["--refuse-recipient", "a@b"],
        ["--refuse-recipient", "a@b=no"],
        ["--refuse-at-end", "a@b=550 no"],
        ["--no", "STARTTLS"],
        ["--max-connections", "many"],
        ["--unknown"],
        ["surplus"],
    ],
)
def test_usage_errors(options):
    program = built_program("evenpost-sink")
    done = subprocess.run([program, *options], capture_output=True, check=False)
    assert done.returncode == 64
    assert done.stderr.startswith((b"evenpost-sink: ", os.fsencode(program)))


def test_help_and_version():
    for option, start in ("--help", b"Usage: "), ("--version", b"evenpost-sink "):
        command = [built_program("evenpost-sink"), option]
        done = subprocess.run(command, capture_output=True, check=True)
        assert done.stdout.startswith(start)


def test_stored_file_reads_back(scratch):
    path = scratch / "message"
    path.write_bytes(b"X-Sink-From: \r\nX-Sink-To: b@b\r\nX-Other: 1\r\n\r\n")
    assert read_stored(path) == ([""], ["b@b"], b"X-Other: 1\r\n\r\n")
