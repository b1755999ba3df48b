"""The servers by themselves: what each takes from a balancer, and what it logs of it.

Without evenpost: where a test of evenpost fails, this one says on whose side it is.
"""

import re
import subprocess

import pytest

from conveyed import (
    ELSEWHERE,
    LOCAL,
    connect,
    new_address,
    send_message,
    try_recipient,
    wait_postfix_client,
)
from harness.raw_client import RawClient

POSTFIX_PORTS = ["proxy", "postscreen"]
# What each server has in its log of a client that it was told of: by a PROXY header, or
# with XCLIENT, of which LMTP hears when it has logged the connection already.
LOGGED = {
    "exim": r"<= ann@a\.example H=\(\S+\) \[{}\] P=esmtp PRX=127\.0\.0\.1 ",
    "opensmtpd": r"smtp connected address={} ",
    "dovecot": r"lmtp\(\d+\): Info: Connect from {}$",
    "dovecot-xclient": r"lmtp\(\d+\): Info: Disconnect from {}: Logged out",
}


def wait_client(server, logged, address):
    assert server.program.wait_log(LOGGED[logged].format(re.escape(address)))


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("port", POSTFIX_PORTS)
def test_postfix(addressed, port, version):
    """Whether a stranger's mail is taken: the header decides, not the connection."""
    postfix, address = addressed["postfix"], new_address()
    with connect(postfix.ports[port], address, version) as client:
        assert "Relay access denied" in try_recipient(client, ELSEWHERE).text
        reply, _ = send_message(client)
    wait_postfix_client(postfix, reply, address)
    with connect(postfix.ports[port], "127.0.0.1", version) as client:
        assert try_recipient(client, ELSEWHERE).code == 250


@pytest.mark.parametrize("version", [1, 2])
def test_exim(addressed, version):
    exim, address = addressed["exim"], new_address()
    with connect(exim.port, address, version) as client:
        send_message(client)
    wait_client(exim, "exim", address)


def test_opensmtpd(addressed):
    opensmtpd, address = addressed["opensmtpd"], new_address()
    with connect(opensmtpd.port, address, version=2) as client:
        send_message(client)
    wait_client(opensmtpd, "opensmtpd", address)


@pytest.mark.parametrize("version", [1, 2])
def test_dovecot_lmtp(addressed, version):
    dovecot, address = addressed["dovecot"], new_address()
    with connect(dovecot.ports["lmtp"], address, version, "LHLO") as client:
        send_message(client)
    wait_client(dovecot, "dovecot", address)


def test_dovecot_lmtp_xclient(addressed):
    dovecot, address = addressed["dovecot"], new_address()
    with RawClient(dovecot.port) as client:
        client.expect(220)
        client.command("LHLO client.example", 250)
        client.command(f"XCLIENT ADDR={address}", 220)
        client.command("LHLO client.example", 250)
        send_message(client)
        client.command("QUIT", 221)
    wait_client(dovecot, "dovecot-xclient", address)


def test_postfix_believes_whom_it_lists(addressed):
    """XCLIENT and XFORWARD are announced at that port alone; XCLIENT alone decides."""
    postfix, address = addressed["postfix"], new_address()
    with RawClient(postfix.port) as client:
        assert not {"XCLIENT", "XFORWARD"} & set(client.hello())
        client.command(f"XCLIENT ADDR={address}", "550 5.7.0")
    with RawClient(postfix.ports["listed"]) as client:
        assert {"XCLIENT", "XFORWARD"} <= set(client.hello())
        client.command(f"XFORWARD ADDR={address}", 250)
        assert try_recipient(client, ELSEWHERE).code == 250
        client.command(f"XCLIENT ADDR={address}", 220)
        client.command("EHLO client.example", 250)
        assert "Relay access denied" in try_recipient(client, ELSEWHERE).text
        assert try_recipient(client, LOCAL).code == 250


# As docs/client-address.md tells to try a server.
SWAKS = {
    "v1": ("proxy", "--proxy-version 1 --proxy-family TCP4"),
    "v2": ("proxy", "--proxy-version 2 --proxy-family AF_INET"),
    "xclient": ("listed", "--xclient-addr {}"),
}


@pytest.mark.parametrize("row", SWAKS)
def test_swaks_of_the_page(addressed, row):
    """It ends with status 24, a refused recipient, and the log has the address."""
    postfix, address = addressed["postfix"], new_address()
    port, options = SWAKS[row]
    if row != "xclient":
        options += " --proxy-source {} --proxy-source-port 4711"
        options += " --proxy-dest 10.0.0.11 --proxy-dest-port 25"
    command = f"swaks --server 127.0.0.1 --port {postfix.ports[port]} {options}"
    command += f" --from a@example.org --to {ELSEWHERE} --quit-after RCPT"
    ended = subprocess.run(command.format(address).split(), capture_output=True)
    assert ended.returncode == 24 and b"Relay access denied" in ended.stdout
    refused = rf"reject: RCPT from unknown\[{re.escape(address)}\]"
    assert postfix.program.wait_log(refused)
