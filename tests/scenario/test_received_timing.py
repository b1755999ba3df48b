"""When the Received line that evenpost adds leaves: with the content behind it."""

import re

import pytest

from harness.raw_client import RawClient
from harness.scripted_server import DROP
from harness.waiting import wait_until

ALWAYS = {"add-received": "always"}
LINE = re.compile(
    rb"Received: from client\.example \([^)]*\)\r\n"
    rb"\tby [^\r]*\r\n"
    rb"\tfor <bob@b\.example>; [^\r]*\r\n"
)
TEXT = b"Subject: a\r\n\r\nb\r\n"


def begin(evenpost):
    """A client up to its first recipient."""
    client = RawClient(evenpost.port)
    client.hello()
    client.command("MAIL FROM:<ann@a.example>", 250)
    client.command("RCPT TO:<bob@b.example>", 250)
    return client


def send_lines(client, *parts):
    client.command("DATA", 354)
    for part in parts:
        client.send(part)
    client.send(b".\r\n")
    client.expect(250)


def send_octets(client, *parts):
    for number, part in enumerate(parts, 1):
        last = " LAST" if number == len(parts) else ""
        client.send(b"BDAT %d%s\r\n" % (len(part), last.encode()) + part)
        client.expect(250)


def check_line(server, body):
    (message,) = server.messages
    match = LINE.match(message.content)
    assert match, message.content
    assert message.content[match.end() :] == body


@pytest.mark.parametrize("send", [send_lines, send_octets])
@pytest.mark.parametrize(
    "parts",
    [[TEXT], [b"Subject: a\r\n", b"\r\nb\r\n"], [b""], [b"", TEXT]],
    ids=["whole", "in two parts", "empty", "empty at first"],
)
def test_line_stands_before_the_content(evenpost_before, scripted_servers, send, parts):
    (server,) = scripted_servers(1)
    with begin(evenpost_before(server, listener=ALWAYS)) as client:
        send(client, *parts)
    check_line(server, b"".join(parts))


def test_each_message_has_one(evenpost_before, scripted_servers):
    (server,) = scripted_servers(1)
    with begin(evenpost_before(server, listener=ALWAYS)) as client:
        send_lines(client, TEXT)
        client.command("MAIL FROM:<ann@a.example>", 250)
        client.command("RCPT TO:<bob@b.example>", 250)
        send_lines(client, TEXT)
    assert [m.content.count(b"Received:") for m in server.messages] == [1, 1]


def test_another_server_gets_one_line(evenpost_before, scripted_servers):
    first, second = scripted_servers(2)
    evenpost = evenpost_before(first, second, listener=ALWAYS)
    drops = [DROP]
    for server in (first, second):
        server.on("body", lambda _: drops.pop() if drops else None)
    with begin(evenpost) as client:
        client.command("DATA", 354)
        client.send(TEXT)
        wait_until(lambda: not drops, "the first server's end")
        client.send(TEXT + b".\r\n")
        client.expect(250)
    stored = first.messages + second.messages
    assert [m.content.count(b"Received:") for m in stored] == [1]
    assert stored[0].content.endswith(TEXT + TEXT)


def test_line_waits_for_the_content(evenpost_before, scripted_servers):
    """A client that goes behind 354: the server has not heard the line either."""
    (server,) = scripted_servers(1)
    with begin(evenpost_before(server, listener=ALWAYS)) as client:
        client.command("DATA", 354)
    server.wait_for(lambda s: all(c.closed for c in s.connections), "its end")
    assert not any(b"Received:" in c.received for c in server.connections)
