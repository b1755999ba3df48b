"""Clients with an address that they do not have: a PROXY header tells of it.

And what is told with it where the real one is to be seen: a client that connects from
127.0.0.5 is another one than evenpost, which connects from 127.0.0.1.
"""

import itertools
import re

from harness.mail import make_message
from harness.proxy_header import version_1, version_2
from harness.raw_client import RawClient

BEHIND_PROXY = {"accept-proxy": "127.0.0.1"}
NEIGHBOUR = "127.0.0.5"
LOCAL = "bob@b.example"
ELSEWHERE = "eve@z.example"

_HEADERS = {1: version_1, 2: version_2}
_numbers = itertools.count(1)


def new_address():
    """A client that no other test has, so that the logs can be searched for it."""
    return f"192.0.2.{next(_numbers)}"


def connect(port, address, version=1, hello="EHLO"):
    """A client of this address, up to the reply to EHLO or LHLO."""
    client = RawClient(port)
    client.send(_HEADERS[version]((address, 4711)))
    client.expect(220)
    client.command(f"{hello} client.example", 250)
    return client


def send_message(client, recipients=(LOCAL,), sender="ann@a.example"):
    """The reply of the one that took it, and the message."""
    client.command(f"MAIL FROM:<{sender}>", 250)
    for recipient in recipients:
        client.command(f"RCPT TO:<{recipient}>", 250)
    client.command("DATA", 354)
    message = make_message(f"addressed{next(_numbers)}", b"who am I\r\n")
    client.send(message + b".\r\n")
    return client.expect(250), message


def try_recipient(client, recipient):
    """The reply to RCPT; nothing is sent."""
    client.command("MAIL FROM:<ann@a.example>", 250)
    reply = client.command(f"RCPT TO:<{recipient}>")
    client.command("RSET", 250)
    return reply


def queue_id(reply):
    """As Postfix says it at the end of its reply."""
    return re.search(r"queued as (\w+)", reply.text).group(1)


def wait_postfix_client(postfix, reply, address, more=""):
    """Postfix's line of the message that it took with this reply names the client."""
    client = rf"client=unknown\[{re.escape(address)}\]"
    line = rf"{queue_id(reply)}: {client}{more}"
    assert postfix.program.wait_log(line)
