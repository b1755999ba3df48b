"""Our own Received line (RFC 5321 4.4), and messages that go round."""

import re

import pytest

from harness.evenpost import configured
from harness.proxy_header import version_1
from harness.raw_client import RawClient
from harness.scripted_server import DROP, EXTENSIONS

_CONTENT = b"Subject: a\r\n\r\nb\r\n"
_LINE = re.compile(
    rb"Received: from client\.example \((\S+) \[(?P<client>[^\]]+)\]\)\r\n"
    rb"\tby evenpost\.test with ESMTP id (?P<id>[0-9a-f]+-[0-9a-f]+)(\r\n\tfor <(?P<for>[^>]+)>)?"
    rb"; (Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) "
    rb"\d{4} \d\d:\d\d:\d\d \+0000\r\n"
)
_FULL = (*EXTENSIONS, "XCLIENT NAME ADDR", "XFORWARD NAME ADDR")


def send(client, recipients=("bob@b.example",), content=_CONTENT, expected=250):
    client.command("MAIL FROM:<ann@a.example>", 250)
    for recipient in recipients:
        client.command(f"RCPT TO:<{recipient}>", 250)
    client.command("DATA", 354)
    client.send(content + b".\r\n")
    return client.expect(expected)


def split(message):
    """(the match of our line, what follows it)"""
    match = _LINE.match(message.content)
    assert match, message.content[:300]
    return match, message.content[match.end() :]


def test_line(evenpost_before, scripted_servers):
    (server,) = scripted_servers(1)
    evenpost = evenpost_before(server, listener={"accept-proxy": "127.0.0.1"})
    with RawClient(evenpost.port) as client:
        client.send(version_1(("192.0.2.7", 4711)))
        client.hello()
        send(client)
    (line,) = evenpost.wait_event("message")
    ours, rest = split(server.messages[0])
    assert rest == _CONTENT
    assert (ours["client"], ours["for"]) == (b"192.0.2.7", b"bob@b.example")
    assert ours["id"].decode() == line["session"]
    assert line["bytes"] == str(len(_CONTENT))


def test_no_recipient_is_told_of_another(evenpost_before, scripted_servers):
    (server,) = scripted_servers(1)
    with RawClient(evenpost_before(server).port) as client:
        client.hello()
        send(client, ["bob@b.example", "carl@b.example"])
    ours, _ = split(server.messages[0])
    assert ours["for"] is None


def test_once_with_chunks(evenpost_before, scripted_servers):
    """BDAT in two chunks: one line, before the first."""
    (server,) = scripted_servers(1)
    with RawClient(evenpost_before(server).port) as client:
        client.hello()
        client.command("MAIL FROM:<ann@a.example>", 250)
        client.command("RCPT TO:<bob@b.example>", 250)
        client.send(b"BDAT 10\r\n" + _CONTENT[:10])
        client.expect(250)
        client.send(b"BDAT %d LAST\r\n" % len(_CONTENT[10:]) + _CONTENT[10:])
        client.expect(250)
    _, rest = split(server.messages[0])
    assert rest == _CONTENT


def test_once_over_several_servers(evenpost_before, scripted_servers):
    """A message that is sent again has the line once."""
    first, second = scripted_servers(2)
    evenpost = evenpost_before(configured(first, preference=1), second)
    half = _CONTENT + b"x" * 1000 + b"\r\n"
    first.body_octets = len(_CONTENT)
    first.on("body", DROP)
    with RawClient(evenpost.port) as client:
        client.hello()
        client.command("MAIL FROM:<ann@a.example>", 250)
        client.command("RCPT TO:<bob@b.example>", 250)
        client.command("DATA", 354)
        client.send(half)
        second.wait_for(
            lambda s: any(len(c.received) > 1000 for c in s.connections),
            "the first half at the second server",
        )
        client.send(b"end\r\n.\r\n")
        client.expect(250)
    (message,) = second.messages
    assert split(message)[1] == half + b"end\r\n"
    assert any(c.commands[-1:] == ["DATA"] for c in first.connections)


@pytest.mark.parametrize(
    "identity, add_received, expected",
    [
        ("none", None, True),
        ("header", None, True),
        ("header", "never", True),
        ("xforward", None, True),
        ("xclient", None, False),
        ("proxy-v1", None, False),
        ("proxy-v2", None, False),
        ("xclient", "always", True),
        ("none", "never", False),
    ],
)
def test_where(evenpost_before, scripted_servers, identity, add_received, expected):
    """add-received: auto is where the server can not see the client."""
    proxied = identity.startswith("proxy")
    (server,) = scripted_servers(extensions=_FULL, expects_proxy=proxied)
    listener = {"add-received": add_received} if add_received else {}
    evenpost = evenpost_before(server, pool={"identity": identity}, listener=listener)
    with RawClient(evenpost.port) as client:
        client.hello()
        send(client)
    content = server.messages[0].content
    assert content.endswith(_CONTENT)
    assert (content != _CONTENT) == expected


def test_a_message_that_goes_round(evenpost_before, scripted_servers):
    """A hundred Received lines: 554 5.4.6, and no server has it. Ninety-nine pass."""
    (server,) = scripted_servers(1)
    evenpost = evenpost_before(server)
    line = b"Received: from a by b; Mon, 23 Nov 2026 18:00:00 +0000\r\n"
    with RawClient(evenpost.port) as client:
        client.hello()
        send(client, content=line * 99 + b"Subject: a\r\n\r\n" + line * 9)
        reply = send(client, content=line * 100 + _CONTENT, expected=554)
        assert "5.4.6" in reply.text
        send(client)
    server.wait_for(lambda s: len(s.accepted()) == 2, "two messages")
    assert len(server.messages) == 2
    (rejected,) = evenpost.wait_event("reject")
    assert (rejected["reason"], rejected["phase"]) == ("loop", "data")
