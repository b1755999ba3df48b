"""identity: header: the line that evenpost adds, as servers stored it."""

import datetime
import email.utils
import re

import pytest

from conveyed import BEHIND_PROXY, LOCAL, connect, new_address, send_message
from harness.evenpost import configure_pool
from harness.waiting import wait_until

LINE = re.compile(
    r"from (?P<helo>\S+) \((?P<name>\S+) \[(?P<address>[^]]+)\]\)\s+"
    r"by (?P<by>\S+) with (?P<with>\S+) id (?P<id>\S+)"
    r"(?:\s+for <(?P<for>[^>]+)>)?; (?P<date>.+)"
)
OTHER = "cid@b.example"


@pytest.fixture(scope="module")
def evenpost(addressed, start_evenpost):
    servers = {"postfix": addressed["postfix"], "dovecot": addressed["dovecot"]}
    pools = {
        name: configure_pool(
            {"server": server.address},
            identity="header",
            protocol="lmtp" if name == "dovecot" else "smtp",
        )
        for name, server in servers.items()
    }
    listeners = {name: {**BEHIND_PROXY, "pool": name} for name in pools}
    return start_evenpost(pools, listeners)


def send(evenpost, addressed, name, recipients=(LOCAL,)):
    """The client's address, what was sent, and what the server stored of it."""
    address = new_address()
    with connect(evenpost.ports[name], address) as client:
        _, message = send_message(client, recipients)
    number = re.search(rb"X-Number: (\S+)", message).group(1).decode()
    mail = addressed[name].mail
    wait_until(lambda: len(mail.numbered(number)) == len(recipients), "the message")
    return address, message, mail.numbered(number)


def read_fields(stored):
    """[(name, value)] in their order, unfolded."""
    text = re.sub(r"\n[ \t]+", " ", stored.headers.decode())
    return [tuple(field.split(": ", 1)) for field in text.split("\n")]


def read_line(stored, message):
    """What our line says. Above it stands what the server wrote, below it what the
    client did, and nothing between."""
    fields = read_fields(stored)
    first = message.partition(b"\r\n")[0].decode()
    own = fields.index(tuple(first.split(": ", 1))) - 1
    assert fields[own][0] == "Received"
    by_server = [value for name, value in fields[:own] if name == "Received"]
    assert by_server and "evenpost.test" in by_server[-1]
    line = LINE.fullmatch(fields[own][1])
    assert line, fields[own]
    return line


@pytest.mark.parametrize("name", ["postfix", "dovecot"])
def test_line(addressed, evenpost, name):
    before = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    address, message, (stored,) = send(evenpost, addressed, name)
    after = datetime.datetime.now(datetime.timezone.utc)
    line = read_line(stored, message)
    (logged,) = evenpost.wait_event("message", client=address)
    assert line["helo"] == "client.example" and line["name"] == "unknown"
    assert line["address"] == address
    assert line["by"] == "evenpost.test" and line["with"] == "ESMTP"
    assert line["id"] == logged["session"]
    assert line["for"] == LOCAL
    assert before <= email.utils.parsedate_to_datetime(line["date"]) <= after


def test_several_recipients(addressed, evenpost):
    """None is told of another."""
    address, message, copies = send(evenpost, addressed, "postfix", (LOCAL, OTHER))
    for stored in copies:
        line = read_line(stored, message)
        assert line["address"] == address and line["for"] is None


def test_body_is_untouched(addressed, evenpost):
    _, message, (stored,) = send(evenpost, addressed, "postfix")
    sent = message.replace(b"\r\n", b"\n")
    assert stored.content.endswith(sent)
