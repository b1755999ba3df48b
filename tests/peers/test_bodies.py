"""Every body, by every client, to every server: what arrives is what was sent."""

import pytest

from bodies import BODIES
from clients import CLIENTS
from harness.mail import body_of, make_message

SENDER = "ann@a.example"
RECIPIENTS = ["bob@b.example"]


def check_stored(sent, stored):
    """The body is the same to the byte, and no header field of the client is lost."""
    assert stored.body == body_of(sent)
    for field in sent.partition(b"\r\n\r\n")[0].split(b"\r\n"):
        assert field in stored.headers.split(b"\n"), field


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("client", CLIENTS)
def test_client(farm, client, body):
    number = farm.next_number()
    message = make_message(number, BODIES[body])
    CLIENTS[client](farm.evenpost.port, SENDER, RECIPIENTS, message)
    _, (stored,) = farm.wait_stored(number)
    check_stored(message, stored)


@pytest.mark.parametrize("body", BODIES)
def test_every_server(farm, body):
    """One turn of the round brings the body to each of the four."""
    reached = set()
    for _ in farm.servers:
        number = farm.next_number()
        message = make_message(number, BODIES[body])
        CLIENTS["smtplib"](farm.evenpost.port, SENDER, RECIPIENTS, message)
        name, (stored,) = farm.wait_stored(number)
        check_stored(message, stored)
        reached.add(name)
    assert reached == set(farm.servers)


@pytest.mark.parametrize("client", CLIENTS)
def test_many_recipients(farm, client):
    """One transaction, one server, a copy for each recipient."""
    number = farm.next_number()
    recipients = [f"user{n}@domain{n % 7}.example" for n in range(20)]
    message = make_message(number, b"to all of you\r\n")
    CLIENTS[client](farm.evenpost.port, SENDER, recipients, message)
    _, stored = farm.wait_stored(number, copies=len(recipients))
    for copy in stored:
        check_stored(message, copy)


def test_fifty_megabytes(farm):
    """To every server, by the client that is quickest at it."""
    lines = b"".join(b"%062d\r\n" % n for n in range(1024))
    body = lines * (50 * 1024 * 1024 // len(lines))
    for _ in farm.servers:
        number = farm.next_number()
        message = make_message(number, body)
        CLIENTS["curl"](farm.evenpost.port, SENDER, RECIPIENTS, message)
        _, (stored,) = farm.wait_stored(number)
        assert stored.body == body_of(message)
