"""Every false end of data that was found to fool some server, and their like.

threats F1, F2; protocol Clients: End of data. Whatever the client writes around a dot,
a server gets one message, made of lines that all end in CRLF, or nothing at all.
"""

import itertools
import re

import pytest

from harness.raw_client import RawClient

_ENDS = {
    "LF": b"\n",
    "CR": b"\r",
    "CRLF": b"\r\n",
    "CRCR": b"\r\r",
    "LFLF": b"\n\n",
    "LFCR": b"\n\r",
    "CRCRLF": b"\r\r\n",
    "CRLFLF": b"\r\n\n",
    "CRLFCR": b"\r\n\r",
    "LFCRLF": b"\n\r\n",
    "NUL": b"\0",
    "CRLFNUL": b"\r\n\0",
    "NULCRLF": b"\0\r\n",
    "CRNULLF": b"\r\0\n",
    "VT": b"\v",
    "FF": b"\f",
    "NEL": b"\xc2\x85",
    "LS": b"\xe2\x80\xa8",
}
# What a server could take for a line end.
_LENIENT_END = rb"(?:\r\n|\r|\n|\0)"
_FALSE_END = re.compile(rb"(?:^|%s)\.%s" % (_LENIENT_END, _LENIENT_END))
_BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n")

_SMUGGLED = (
    b"MAIL FROM:<eve@evil.example>\r\nRCPT TO:<victim@b.example>\r\n"
    b"DATA\r\nSubject: smuggled\r\n\r\nsmuggled"
)


def false_ends():
    """{name: the octets around a dot}; one of them is the true end, and left out."""
    pairs = itertools.product(_ENDS.items(), _ENDS.items())
    made = {f"{a}.{b}": x + b"." + y for (a, x), (b, y) in pairs}
    return {name: end for name, end in made.items() if b"\r\n.\r\n" not in end}


def send_by_data(client, content, split):
    client.command("DATA", 354)
    octets = content + b"\r\n.\r\n"
    client.send_split(octets, split or len(octets))
    return client.read_reply()


def send_by_bdat(client, content, split):
    """In two chunks, cut at the dot."""
    cut = content.index(b".")
    client.send(b"BDAT %d\r\n" % cut)
    client.send_split(content[:cut], split or cut)
    first = client.read_reply()
    if first.code != 250:
        return first
    rest = content[cut:]
    client.send(b"BDAT %d LAST\r\n" % len(rest))
    client.send_split(rest, split or len(rest))
    return client.read_reply()


def judge(server, reply, before, policy, content):
    """What is wrong with what the server got, or None."""
    got = server.messages[before:]
    if reply.code == 250 and len(got) != 1:
        return f"accepted, and the server has {len(got)} messages"
    if reply.code != 250 and got:
        return f"{reply!r}, but the server has a message"
    refusal_due = b"\0" in content or (policy == "reject" and _BARE.search(content))
    if bool(refusal_due) != (reply.code == 550):
        return f"{reply!r}"
    for message in got:
        # As it came over the wire, with dots stuffed.
        wire = re.sub(rb"(^|\r\n)\.", rb"\1..", message.content)
        if _BARE.search(wire) or b"\0" in wire:
            return f"a bare line end got through: {wire!r}"
        if _FALSE_END.search(wire):
            return f"a false end got through: {wire!r}"
    return None


@pytest.mark.parametrize("split", [0, 1], ids=["whole", "octets"])
@pytest.mark.parametrize("policy", ["normalize", "reject"])
@pytest.mark.parametrize("send", [send_by_data, send_by_bdat], ids=["DATA", "BDAT"])
def test_false_ends(evenpost_before, scripted_servers, send, policy, split):
    """No false end ends a message, and none reaches a server as one."""
    (server,) = scripted_servers(1)
    server.extensions = tuple(e for e in server.extensions if e != "CHUNKING")
    evenpost = evenpost_before(
        server, pool={"health": {"probe": "banner"}}, listener={"line-endings": policy}
    )
    faults = []
    for name, end in false_ends().items():
        content = b"Subject: a\r\n\r\ntext" + end + _SMUGGLED
        before = len(server.messages)
        with RawClient(evenpost.port) as client:
            client.hello()
            client.command("MAIL FROM:<ann@a.example>", 250)
            client.command("RCPT TO:<bob@b.example>", 250)
            reply = send(client, content, split)
            client.command("QUIT", 221)
        fault = judge(server, reply, before, policy, content)
        if fault:
            faults.append(f"{name}: {fault}")
    assert not faults, "\n".join(faults)
    assert not [c for c in server.commands() if "evil.example" in c]


def test_number_of_false_ends():
    """The known 231 are among them: every pair of line ends, odd ones too."""
    assert len(false_ends()) > 231
