"""Both legs: how clients come, what is wanted of servers, and the state of certificates.

Clients are shown evenpost's, and evenpost is shown the servers'. Each leg has its rows;
what becomes of a message in one does not depend on the other, and so every row of
servers is seen with clients that come in every way.
"""

import ssl

import pytest

from encryption import (
    CLEAR,
    CLIENTS,
    ENCRYPTED,
    NAME,
    NOTHING,
    OFFERS_NONE,
    PATIENCE,
    REFUSES,
    SAYS_MORE,
    SERVERS,
    SPEAKS_CLEAR,
    UNPROBED,
    check_fault,
    come,
    verified,
)
from harness.tls_client import client_context

# Policy and server: what becomes of a message, and how the fault begins.
MATRIX = {
    ("off", "without"): (CLEAR, None),
    ("off", "good"): (CLEAR, None),
    ("off", "expired"): (CLEAR, None),
    ("may", "without"): (CLEAR, None),
    ("may", "good"): (ENCRYPTED, None),
    ("may", "expired"): (ENCRYPTED, None),
    ("may", "other name"): (ENCRYPTED, None),
    ("may", "self-signed"): (ENCRYPTED, None),
    ("may", "wrong key"): (NOTHING, None),
    ("may", "cut"): (ENCRYPTED, None),
    ("may", "old"): (NOTHING, None),
    ("may", "454"): (CLEAR, None),
    ("may", "502"): (NOTHING, None),
    ("may", "drops"): (NOTHING, None),
    ("may", "babbles"): (NOTHING, None),
    ("may", "silent"): (NOTHING, None),
    ("may", "spoken for"): (NOTHING, SAYS_MORE),
    ("may", "half spoken for"): (NOTHING, SAYS_MORE),
    ("may", "unasked"): (NOTHING, None),
    ("require", "without"): (NOTHING, OFFERS_NONE),
    ("require", "good"): (ENCRYPTED, None),
    ("require", "expired"): (ENCRYPTED, None),
    ("require", "other name"): (ENCRYPTED, None),
    ("require", "self-signed"): (ENCRYPTED, None),
    ("require", "wrong key"): (NOTHING, None),
    ("require", "cut"): (ENCRYPTED, None),
    ("require", "old"): (NOTHING, None),
    ("require", "454"): (NOTHING, REFUSES),
    ("require", "502"): (NOTHING, REFUSES),
    ("require", "drops"): (NOTHING, None),
    ("require", "babbles"): (NOTHING, None),
    ("require", "silent"): (NOTHING, None),
    ("require", "spoken for"): (NOTHING, SAYS_MORE),
    ("require", "half spoken for"): (NOTHING, SAYS_MORE),
    ("require", "unasked"): (NOTHING, None),
    ("verify", "without"): (NOTHING, OFFERS_NONE),
    ("verify", "good"): (ENCRYPTED, None),
    ("verify", "expired"): (NOTHING, "s1: certificate has expired"),
    ("verify", "other name"): (NOTHING, "s1: hostname mismatch"),
    ("verify", "self-signed"): (NOTHING, "s1: self-signed certificate"),
    ("verify", "wrong key"): (NOTHING, None),
    ("verify", "cut"): (NOTHING, "s1: unable to get local issuer certificate"),
    ("verify", "old"): (NOTHING, None),
    ("verify", "454"): (NOTHING, REFUSES),
    ("verify", "drops"): (NOTHING, None),
    ("verify", "silent"): (NOTHING, None),
    ("verify", "spoken for"): (NOTHING, SAYS_MORE),
    ("verify", "half spoken for"): (NOTHING, SAYS_MORE),
}

# Of servers that speak TLS from the first byte, or do not, with and without tls-ca.
IMPLICIT = {
    ("believes", "without"): (NOTHING, SPEAKS_CLEAR),
    ("believes", "good"): (ENCRYPTED, None),
    ("believes", "expired"): (ENCRYPTED, None),
    ("believes", "other name"): (ENCRYPTED, None),
    ("believes", "self-signed"): (ENCRYPTED, None),
    ("believes", "wrong key"): (NOTHING, None),
    ("believes", "cut"): (ENCRYPTED, None),
    ("believes", "old"): (NOTHING, None),
    ("believes", "drops"): (NOTHING, None),
    ("believes", "silent"): (NOTHING, None),
    ("verifies", "without"): (NOTHING, SPEAKS_CLEAR),
    ("verifies", "good"): (ENCRYPTED, None),
    ("verifies", "expired"): (NOTHING, "s1: certificate has expired"),
    ("verifies", "other name"): (NOTHING, "s1: hostname mismatch"),
    ("verifies", "self-signed"): (NOTHING, "s1: self-signed certificate"),
    ("verifies", "wrong key"): (NOTHING, None),
    ("verifies", "cut"): (NOTHING, "s1: unable to get local issuer certificate"),
}


def titles(matrix):
    return [" - ".join(key) for key in matrix]


@pytest.fixture
def before_all_ways(evenpost_before, keys):
    """An evenpost with a listener for each policy towards clients, named after it."""

    def start(server, kind, pool):
        return evenpost_before(
            server,
            pool={**pool, **UNPROBED, **PATIENCE.get(kind, {})},
            listeners={tls: {"tls": tls} for tls, _ in CLIENTS.values()},
            tls={"certificates": [keys.mx.as_setting()]},
        )

    return start


def check_delivered(evenpost, server, outcome):
    """A message of each way; two workers do not log in one order."""
    assert [m.encrypted for m in server.messages] == [outcome == ENCRYPTED] * len(CLIENTS)
    version = "TLSv1.3" if outcome == ENCRYPTED else "-"
    lines = evenpost.wait_event("message", count=len(CLIENTS))
    seen = [(line["listener"], line["tls"], line["server_tls"]) for line in lines]
    assert sorted(seen) == sorted(
        (tls, "TLSv1.3" if way else "-", version) for tls, way in CLIENTS.values()
    )


def check_all_ways(evenpost, server, outcome, begins):
    """However the client comes: what becomes of its message depends on the server."""
    for tls, way in CLIENTS.values():
        with come(evenpost.ports[tls], way) as client:
            if outcome == NOTHING:
                client.command("MAIL FROM:<ann@a.example>", 250)
                client.command("RCPT TO:<bob@b.example>", 451)
            else:
                client.send_message()
            client.command("QUIT", 221)
    if outcome == NOTHING:
        assert not server.messages
    else:
        check_delivered(evenpost, server, outcome)
    check_fault(evenpost, server, begins)


@pytest.mark.parametrize("policy, kind", MATRIX, ids=titles(MATRIX))
def test_matrix(before_all_ways, tls_server, authority, policy, kind):
    server = tls_server(kind)
    keys = verified(authority) if policy == "verify" else {}
    evenpost = before_all_ways(server, kind, {"tls": policy, **keys})
    check_all_ways(evenpost, server, *MATRIX[policy, kind])


@pytest.mark.parametrize("trust, kind", IMPLICIT, ids=titles(IMPLICIT))
def test_implicit(before_all_ways, tls_server, authority, trust, kind):
    server = tls_server(kind, implicit=SERVERS[kind][0] is not None)
    keys = verified(authority) if trust == "verifies" else {}
    if not server.tls:
        server.on("greeting", "220 in clear")
    evenpost = before_all_ways(server, kind, {"tls": "implicit", **keys})
    check_all_ways(evenpost, server, *IMPLICIT[trust, kind])


# The certificate of evenpost, and what a client that verifies has to say of it.
SHOWN = {
    "good": None,
    "expired": "certificate has expired",
    "other name": "Hostname mismatch",
    "self-signed": "self-signed certificate",
    "cut": "unable to get local issuer certificate",
}


@pytest.mark.parametrize("tls", ["offer", "require", "implicit"])
@pytest.mark.parametrize("state, complaint", SHOWN.items(), ids=SHOWN)
def test_certificate_that_clients_see(
    evenpost_before, tls_server, certificates, authority, state, complaint, tls
):
    """A client that verifies goes, and the log has its alert; others do not mind. That
    one has the wrong key shows when evenpost starts (test_certificates.py)."""
    server = tls_server("without")
    evenpost = evenpost_before(
        server,
        listener={"tls": tls},
        tls={"certificates": [certificates[state].as_setting()]},
    )
    way = "implicit" if tls == "implicit" else "starttls"
    with come(evenpost.port, way) as client:
        client.send_message()
    context = client_context(authority)
    if complaint is None:
        come(evenpost.port, way, context, NAME).close()
        return
    with pytest.raises(ssl.SSLCertVerificationError, match=complaint):
        come(evenpost.port, way, context, NAME)
    (line,) = evenpost.wait_event("reject")
    assert (line["phase"], line["reason"]) == ("tls", "handshake")
    assert "alert" in line["why"]
