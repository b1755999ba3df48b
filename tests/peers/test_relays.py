"""Postfix as the client in front of evenpost, and its load generator."""

import pytest

from bodies import BODIES
from clients import send_by_smtplib
from harness.mail import body_of, make_message
from harness.peer import run_in_root
from harness.postfix import PostfixRelay
from harness.program import Program


@pytest.fixture(scope="module")
def relay(farm, session_scratch):
    """A Postfix whose relayhost is the listener with SMTPUTF8."""
    postfix = PostfixRelay(session_scratch, "relay", farm.evenpost.ports["utf8"])
    yield postfix.start()
    postfix.stop()


@pytest.mark.parametrize("body", BODIES)
def test_relayhost(farm, relay, body):
    number = farm.next_number()
    message = make_message(number, BODIES[body])
    recipients = ["bob@b.example", "cid@c.example"]
    send_by_smtplib(relay.port, "ann@a.example", recipients, message)
    _, stored = farm.wait_stored(number, copies=2)
    for copy in stored:
        assert copy.body == body_of(message)


def test_relayhost_is_content(relay):
    """All that it was given is gone, and it has nothing to complain of."""
    relay.program.wait_log("status=sent")
    for complaint in ("=deferred", "=bounced", "lost connection", "warning:"):
        assert complaint not in relay.program.log()


def test_smtp_source(farm, scratch):
    """Two connections, 400 messages: each of four servers has a hundred of them."""
    before = farm.evenpost.messages("all")
    scratch.joinpath("message").write_bytes(
        make_message("source", b".\nfrom smtp-source\n").replace(b"\r\n", b"\n")
    )
    destination = f"127.0.0.1:{farm.evenpost.ports['all']}"
    options = "-s 2 -m 400 -f ann@a.example -t bob@b.example -F /instance/message"
    command = ["/usr/sbin/smtp-source", *options.split(), destination]
    program = Program(run_in_root("postfix", scratch, command), scratch, "smtp-source")
    assert program.start().process.wait(60) == 0, program.tail()
    after = farm.evenpost.messages("all")
    assert [after[name] - before[name] for name in after] == [100] * 4
    stored = farm.wait_each_has("source", 100)
    for messages in stored.values():
        # It ends every message with an empty line of its own.
        assert {message.body for message in messages} == {b".\nfrom smtp-source\n\n"}
