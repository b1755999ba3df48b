"""What the tests of TLS share: clients that come in each way, servers of each kind."""

import ssl
import warnings

from harness.certificate import make_certificate
from harness.pki import OVER, TO_COME, Authority, Pair, server_context, sign_with_another
from harness.scripted_server import DROP, HANG
from harness.tls_client import TlsClient, client_context

# The server's name, and settings of pools.
NAME = "hub.test"
UNPROBED = {"health": {"probe": "none"}}

ENCRYPTED, CLEAR, NOTHING = "encrypted", "in clear", "not delivered"


class Keys:
    """Pairs of every kind that evenpost and its clients show."""

    def __init__(self, directory):
        self.directory = directory
        self.authority = Authority(directory)
        self.mx = self.authority.issue("mx.example")
        self.mx_rsa = self.authority.issue("mx.example", kind="rsa")
        self.other = self.authority.issue("other.example")
        self.client = self.authority.issue("client.example")
        self.stranger = Authority(directory, "stranger").issue("client2.example")


# ---- clients ----

# How a client comes: what the listener wants, and how the client begins.
CLIENTS = {
    "off": ("off", None),
    "offer, not taken": ("offer", None),
    "offer": ("offer", "starttls"),
    "require": ("require", "starttls"),
    "implicit": ("implicit", "implicit"),
}


def come(port, way, context=None, name="mx.example"):
    """A client behind its (last) EHLO; way: starttls, implicit, or None for in clear.

    context: how it verifies; None: not at all.
    """
    client = TlsClient(port)
    if way == "implicit":
        client.start_tls(context, name)
    client.extensions = client.hello()
    if way == "starttls":
        client.starttls(context, name)
        client.extensions = client.say_hello()
    return client


def encrypted(evenpost, keys, **options):
    """A client that has said STARTTLS, verified the certificate, and EHLO again."""
    return come(evenpost.port, "starttls", client_context(keys.authority, **options))


MESSAGE = ("MAIL FROM:<ann@a.example>", "RCPT TO:<bob@b.example>")


# ---- servers ----


def make_certificates(directory, authority):
    """What servers show: {state: files}."""
    between = Authority(directory, "between", authority)
    selfmade = directory / "selfmade"
    selfmade.mkdir()
    good = between.issue(NAME)
    return {
        "good": good,
        "address": authority.issue("IP:127.0.0.1"),
        "other name": authority.issue("other.test"),
        "self-signed": Pair(*make_certificate(selfmade, NAME)),
        "expired": authority.issue(NAME, days=OVER),
        "to come": authority.issue(NAME, days=TO_COME),
        "ends soon": authority.issue(NAME, days=5),
        "cut": between.issue(NAME, file="cut", chain=False),
        "wrong key": sign_with_another(good),
    }


def babble(connection):
    """Answers the client's part of the handshake, once it is there, with mail."""
    connection.request.recv(1)
    return b"250 this is no TLS\r\n"


# What each kind of server does: the certificate, and how it is scripted.
SERVERS = {
    "without": (None, {}),
    "good": ("good", {}),
    "expired": ("expired", {}),
    "to come": ("to come", {}),
    "ends soon": ("ends soon", {}),
    "other name": ("other name", {}),
    "self-signed": ("self-signed", {}),
    "wrong key": ("wrong key", {}),
    "cut": ("cut", {}),
    "old": ("good", {}),
    "454": ("good", {"starttls": "454 4.7.0 not now"}),
    "502": ("good", {"starttls": "502 5.5.1 what"}),
    "drops": ("good", {"handshake": DROP}),
    "babbles": ("good", {"handshake": babble}),
    "silent": ("good", {"handshake": HANG}),
    "spoken for": ("good", {"starttls": b"220 go ahead\r\n250 injected\r\n"}),
    "half spoken for": ("good", {"starttls": b"220 go ahead\r\n250 inj"}),
    "unasked": ("good", {"ehlo": b"250-a\r\n250 STARTTLS\r\n220 go ahead\r\n"}),
}

# What evenpost has to say of some.
OFFERS_NONE = "s1 does not offer STARTTLS to 127.0.0.1: let it have a certificate"
REFUSES = "s1 offers, and then refuses, STARTTLS to 127.0.0.1: let it have a certificate"
SAYS_MORE = (
    "s1 says more than its reply to STARTTLS to 127.0.0.1: "
    "see whether somebody on the way puts words in its mouth"
)

SPEAKS_CLEAR = "s1 speaks SMTP in clear, and not TLS to 127.0.0.1: tls: implicit is for"
SPEAKS_TLS = "s1 speaks TLS before it greets 127.0.0.1: say tls: implicit"

# How long a pool has patience with it, where it would take long to lose it.
PATIENCE = {"silent": {"timeouts": {"greeting": "100ms"}}}


def context_of(kind, certificates):
    """None where it has no TLS."""
    shown, _ = SERVERS[kind]
    if shown is None:
        return None
    context = server_context(certificates[shown])
    if kind == "old":
        context.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


def verified(authority):
    """The keys of a pool that verifies its servers."""
    return {"tls-ca": str(authority.file), "tls-name": NAME}


def fault(evenpost, name="s1"):
    return evenpost.pools()["hubs"][name]["fault"]


def check_fault(evenpost, server, begins):
    """A server that gets no message hears nothing of it."""
    said = fault(evenpost)
    assert (said or "").startswith(begins or ""), said
    assert (said is None) == (begins is None), said
    assert not any("MAIL" in c for c in server.commands()) or server.messages
