"""What evenpost counts, and what its probes leave in the servers' logs."""

import re

from harness.mail import make_message
from harness.raw_client import RawClient
from harness.waiting import wait_until

# What Postfix, Exim and OpenSMTPD write of a client that left without a word.
_RUDE = re.compile(
    r"lost connection|improper command pipelining|unexpected disconnection"
    r"|connection lost|SMTP protocol synchroni[sz]ation|reason=disconnect"
    r"|too many (syntax|errors)|dropping",
    re.IGNORECASE,
)


def test_shares(farm):
    """41 messages on one connection: no server has more than one above another."""
    before = farm.evenpost.messages("all")
    with RawClient(farm.evenpost.ports["all"]) as client:
        client.hello()
        for _ in range(41):
            client.command("MAIL FROM:<ann@a.example>", 250)
            client.command("RCPT TO:<bob@b.example>", 250)
            client.command("DATA", 354)
            client.send(make_message(farm.next_number(), b"x\r\n") + b".\r\n")
            client.expect(250)
        client.command("QUIT", 221)
    after = farm.evenpost.messages("all")
    counts = [after[name] - before[name] for name in after]
    assert sum(counts) == 41 and max(counts) - min(counts) == 1


def test_log_names_the_queue_id(farm):
    """The line of a message has the server's reply and the id in the server's log."""
    with RawClient(farm.evenpost.ports["utf8"]) as client:
        client.hello("queue.example")
        client.command("MAIL FROM:<queue@a.example>", 250)
        client.command("RCPT TO:<bob@b.example>", 250)
        client.command("DATA", 354)
        client.send(make_message(farm.next_number(), b"x\r\n") + b".\r\n")
        reply = client.expect(250)
        client.command("QUIT", 221)
    (line,) = farm.evenpost.wait_event("message", **{"from": "queue@a.example"})
    assert line["result"] == "accepted" and line["reply"] == reply.raw.decode().strip()
    assert line["helo"] == "queue.example" and line["recipients"] == "1"
    server = farm.servers[line["server"]]
    assert line["queue_id"] in reply.text
    server.program.wait_log(re.escape(line["queue_id"]))


def test_probes_are_polite(farm):
    """Many probes and much mail later, no server has a rude client in its log."""
    for name, server in farm.evenpost.pools()["all"].items():
        assert server["state"] == "up"
        first = server["last_probe"]["at"]
        probe = wait_until(
            lambda: changed_probe(farm, name, first), f"another probe of {name}"
        )
        assert probe["result"] == "ok"
        assert any(line.startswith("S: 221") for line in probe["transcript"])
    for server in farm.servers.values():
        assert not [line for line in server.program.log().splitlines() if _RUDE.search(line)]


def changed_probe(farm, name, before):
    probe = farm.evenpost.pools()["all"][name]["last_probe"]
    return probe if probe["at"] != before else None
