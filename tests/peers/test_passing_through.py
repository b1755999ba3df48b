"""mode: connection: TLS and logins pass through, and the server knows the client."""

import re
import smtplib
import ssl

import pytest

from conveyed import ELSEWHERE, NEIGHBOUR
from harness.evenpost import configure_pool
from harness.waiting import wait_until

PASSED = {"mode": "connection"}


@pytest.fixture(scope="module")
def evenpost(addressed, start_evenpost):
    """A listener and a pool for each way, of the same name."""
    postfix, dovecot = addressed["postfix"], addressed["dovecot"]
    silent = {"greets": False, "health": {"probe": "tcp"}}
    pools = {
        "none": pool_at(postfix.port, "none"),
        "proxy-v1": pool_at(postfix.ports["proxy"], "proxy-v1"),
        "proxy-v2": pool_at(postfix.ports["proxy"], "proxy-v2"),
        "wrapper-v1": pool_at(postfix.ports["wrapper"], "proxy-v1", **silent),
        "wrapper-v2": pool_at(postfix.ports["wrapper"], "proxy-v2", **silent),
        "submission": pool_at(dovecot.ports["submission"], "proxy-v2"),
    }
    listeners = {name: {**PASSED, "pool": name} for name in pools}
    return start_evenpost(pools, listeners)


def pool_at(port, identity, **keys):
    return configure_pool({"server": f"127.0.0.1:{port}"}, identity=identity, **keys)


@pytest.fixture(scope="module")
def trust(addressed):
    """Trusts Postfix' own certificate and no other: nobody ends TLS on the way."""
    context = ssl.create_default_context(
        cafile=addressed["postfix"].directory / "certificate.pem"
    )
    context.check_hostname = False
    return context


def send_and_quit(client, number):
    """The code for mail to elsewhere, and the text of the reply to mail that stays."""
    client.ehlo("client.example")
    client.mail("ann@a.example")
    elsewhere, _ = client.rcpt(ELSEWHERE)
    client.rset()
    client.mail("ann@a.example")
    assert client.rcpt("bob@b.example")[0] == 250
    code, text = client.data(f"Subject: {number}\r\n\r\nhello\r\n".encode())
    assert code == 250
    client.quit()
    return elsewhere, text.decode()


def wait_client(postfix, text, address):
    queue_id = re.search(r"queued as (\w+)", text).group(1)
    assert postfix.program.wait_log(rf"{queue_id}: client=\w+\[{re.escape(address)}\]")


def wait_session(evenpost, listener):
    """evenpost's own line: the client, and that bytes passed both ways."""
    line = evenpost.wait_event("session", listener=listener, client=NEIGHBOUR)[-1]
    assert line["server"] == "server"
    assert int(line["bytes_in"]) > 0 and int(line["bytes_out"]) > 0


@pytest.mark.parametrize("way", ["proxy-v1", "proxy-v2"])
def test_starttls(addressed, evenpost, trust, way):
    client = smtplib.SMTP(
        "127.0.0.1", evenpost.ports[way], timeout=30, source_address=(NEIGHBOUR, 0)
    )
    client.ehlo("client.example")
    assert client.has_extn("STARTTLS")
    assert client.starttls(context=trust)[0] == 220
    code, text = send_and_quit(client, way)
    assert code == 554
    wait_client(addressed["postfix"], text, NEIGHBOUR)
    wait_session(evenpost, way)


@pytest.mark.parametrize("way", ["wrapper-v1", "wrapper-v2"])
def test_implicit_tls(addressed, evenpost, trust, way):
    """Nothing is said before the client's first bytes: greets: false."""
    client = smtplib.SMTP_SSL(
        "127.0.0.1",
        evenpost.ports[way],
        timeout=30,
        context=trust,
        source_address=(NEIGHBOUR, 0),
    )
    code, text = send_and_quit(client, way)
    assert code == 554
    wait_client(addressed["postfix"], text, NEIGHBOUR)
    wait_session(evenpost, way)


def test_without_identity(addressed, evenpost):
    """Whoever comes is 127.0.0.1, which may send anywhere."""
    client = smtplib.SMTP(
        "127.0.0.1", evenpost.ports["none"], timeout=30, source_address=(NEIGHBOUR, 0)
    )
    code, text = send_and_quit(client, "none")
    assert code == 250
    wait_client(addressed["postfix"], text, "127.0.0.1")
    wait_session(evenpost, "none")


def test_submission(addressed, evenpost):
    """Dovecot knows who logs in from where, and tells Postfix by XCLIENT in turn."""
    client = smtplib.SMTP(
        "127.0.0.1",
        evenpost.ports["submission"],
        timeout=30,
        source_address=(NEIGHBOUR, 0),
    )
    client.login("bob", "secret")
    client.sendmail("bob@b.example", ["ann@b.example"], "Subject: x\r\n\r\nhello\r\n")
    client.quit()
    dovecot, postfix = addressed["dovecot"].program, addressed["postfix"].program
    assert dovecot.wait_log(r"submission-login: .*user=<bob>.*rip=127\.0\.0\.5,")
    assert postfix.wait_log(r"client=unknown\[127\.0\.0\.5\].*sasl_username=bob$")


def test_each_connection_is_counted(evenpost):
    """messages of a pool in this mode are connections."""
    wait_until(lambda: evenpost.messages("submission")["server"] == 1, "one connection")
