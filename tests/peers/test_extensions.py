"""Extensions that servers must see as the client used them."""

import re

import pytest

from harness.mail import body_of, make_message
from harness.raw_client import RawClient
from harness.waiting import wait_until

BODY = b".dots\r\n..and\r\n" + "ünïcode\r\n".encode() + b"x" * 998 + b"\r\n"


def test_only_what_all_servers_can(farm):
    """OpenSMTPD lacks SMTPUTF8, Exim ENHANCEDSTATUSCODES; the rest all can do."""
    with RawClient(farm.evenpost.ports["all"]) as client:
        everywhere = client.hello()
    with RawClient(farm.evenpost.ports["utf8"]) as client:
        with_utf8 = client.hello()
    assert {"PIPELINING", "CHUNKING", "8BITMIME", "SIZE", "DSN"} <= set(everywhere)
    assert not {"SMTPUTF8", "ENHANCEDSTATUSCODES"} & set(everywhere)
    assert "SMTPUTF8" in with_utf8 and "ENHANCEDSTATUSCODES" not in with_utf8


def test_smtputf8(farm):
    """An address that only SMTPUTF8 can say, to each server that can."""
    reached = set()
    for _ in range(3):
        number = farm.next_number()
        sender, recipient = "jürgen@a.example", "дмитрий@b.example"
        message = make_message(number, BODY, sender, recipient)
        with RawClient(farm.evenpost.ports["utf8"]) as client:
            client.hello()
            client.command(f"MAIL FROM:<{sender}> BODY=8BITMIME SMTPUTF8", 250)
            client.command(f"RCPT TO:<{recipient}>", 250)
            client.command("DATA", 354)
            client.send(message.replace(b"\r\n.", b"\r\n..") + b".\r\n")
            client.expect(250)
            client.command("QUIT", 221)
        name, (stored,) = farm.wait_stored(number)
        assert stored.body == body_of(message)
        assert f"To: {recipient}".encode() in stored.headers
        assert sender in stored.header("Return-Path")
        reached.add(name)
    assert reached == {"postfix1", "postfix2", "exim"}


@pytest.mark.parametrize("chunk", [7, 1000, 100000])
def test_chunks(farm, chunk):
    """BDAT passes to Postfix and Exim, and becomes DATA for OpenSMTPD."""
    reached = set()
    for _ in farm.servers:
        number = farm.next_number()
        message = make_message(number, BODY)
        with RawClient(farm.evenpost.port) as client:
            client.hello()
            client.command("MAIL FROM:<ann@a.example> BODY=8BITMIME", 250)
            client.command("RCPT TO:<bob@b.example>", 250)
            send_chunks(client, message, chunk)
            client.command("QUIT", 221)
        name, (stored,) = farm.wait_stored(number)
        assert stored.body == body_of(message)
        reached.add(name)
    assert reached == set(farm.servers)


def send_chunks(client, message, size):
    """Chunk after chunk without waiting, then all their replies."""
    chunks = [message[at : at + size] for at in range(0, len(message), size)]
    for chunk in chunks:
        client.send(b"BDAT %d\r\n" % len(chunk) + chunk)
    client.send(b"BDAT 0 LAST\r\n")
    for _ in range(len(chunks) + 1):
        client.expect(250)


def test_pipelined(farm):
    """Four whole messages in one write; each is on a server of its own."""
    numbers = [farm.next_number() for _ in farm.servers]
    with RawClient(farm.evenpost.port) as client:
        client.hello()
        for number in numbers:
            client.send(
                b"MAIL FROM:<ann@a.example>\r\nRCPT TO:<bob@b.example>\r\n"
                b"RCPT TO:<cid@c.example>\r\nDATA\r\n"
            )
            for code in (250, 250, 250, 354):
                client.expect(code)
            client.send(make_message(number, b"pipelined\r\n") + b".\r\n")
            client.expect(250)
        client.command("QUIT", 221)
    reached = {farm.wait_stored(number, copies=2)[0] for number in numbers}
    assert reached == set(farm.servers)


def test_delivery_status(farm):
    """Each server reports success to the sender, with what it was told to report."""
    reached = set()
    for _ in farm.servers:
        number = farm.next_number()
        with RawClient(farm.evenpost.port) as client:
            client.hello()
            client.command(f"MAIL FROM:<ann@a.example> RET=HDRS ENVID=id{number}", 250)
            client.command(
                "RCPT TO:<bob@b.example> NOTIFY=SUCCESS"
                f" ORCPT=rfc822;first{number}@b.example",
                250,
            )
            client.command("DATA", 354)
            client.send(make_message(number, b"tell me\r\n") + b".\r\n")
            client.expect(250)
            client.command("QUIT", 221)
        name, report = wait_report(farm, number)
        reached.add(name)
        # OpenSMTPD reports, but says neither.
        if name != "opensmtpd":
            assert re.search(rb"(?i)envelope-id: id%d\b" % number, report)
            assert b"rfc822;first%d@b.example" % number in report.replace(b" ", b"")
    assert reached == set(farm.servers)


def wait_report(farm, number):
    """The server's name and the report: it quotes the headers of the message."""

    def find_report():
        for name, server in farm.servers.items():
            for message in server.mail.messages():
                if b"X-Number: %d\n" % number in message.body:
                    return name, message.body
        return None

    return wait_until(find_report, f"the report on message {number}")
