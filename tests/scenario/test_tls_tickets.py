"""Sessions of clients that are resumed: at another worker, at another evenpost, and with
keys that change (design.md: tickets, and no state of ours)."""

import os
import signal

import pytest

from harness.tls_client import TlsClient, client_context

_KEY = 80  # octets: a name, and what is secret


@pytest.fixture
def ticket_keys(scratch):
    """The file, and a function that puts other keys into it."""
    file = scratch / "ticket.keys"

    def put(*keys):
        fresh = file.with_suffix(".new")
        fresh.write_bytes(b"".join(keys))
        fresh.rename(file)

    return file, put


@pytest.fixture
def sharing(tls_before, scripted_servers, ticket_keys):
    """Makes evenposts with the keys of the file."""
    (server,) = scripted_servers(1)
    file, put = ticket_keys

    def make(*keys):
        put(*keys)
        return tls_before(server, tls="implicit", tls_settings={"ticket-keys": str(file)})

    return make


class Visitor:
    """A client that comes again and again, with what it got the last time."""

    def __init__(self, keys, **options):
        self.context = client_context(keys.authority, **options)
        self.session = None

    def resumes(self, evenpost):
        """Whether its session was; it gets another."""
        with TlsClient(evenpost.port) as client:
            client.start_tls(self.context, session=self.session)
            client.hello()
            resumed = client.socket.session_reused
            self.session = client.socket.session
            client.command("QUIT", 221)
        return resumed


@pytest.mark.threads
def test_at_any_worker(tls_before, scripted_servers, keys):
    (server,) = scripted_servers(1)
    evenpost = tls_before(server, tls="implicit", workers=2)
    visitor = Visitor(keys)
    assert [visitor.resumes(evenpost) for _ in range(12)] == [False] + [True] * 11


def test_at_another_evenpost(sharing, keys):
    """Two processes with one file of keys: to a client they are one server."""
    key = os.urandom(_KEY)
    first, second = sharing(key), sharing(key)
    visitor = Visitor(keys)
    visits = [visitor.resumes(evenpost) for evenpost in (first, second, first, second)]
    assert visits == [False, True, True, True]


def test_not_at_another_evenpost_with_other_keys(tls_before, scripted_servers, keys):
    (server,) = scripted_servers(1)
    first, second = (tls_before(server, tls="implicit") for _ in range(2))
    visitor = Visitor(keys)
    assert [visitor.resumes(evenpost) for evenpost in (first, second)] == [False, False]


def test_keys_are_rotated(sharing, ticket_keys, keys):
    """The first key seals and all of them open: one that comes in front leaves the
    sessions of the others, and one that is gone has taken its own with it."""
    old, new = os.urandom(_KEY), os.urandom(_KEY)
    _, put = ticket_keys
    evenpost = sharing(old)
    visitor, late = Visitor(keys), Visitor(keys)
    assert not visitor.resumes(evenpost) and not late.resumes(evenpost)
    for count, held in enumerate(([new, old], [new]), 1):
        put(*held)
        evenpost.program.signal(signal.SIGHUP)
        evenpost.wait_event("tls", count=count, level="info")
        # what it has is sealed with a key that is held still
        assert visitor.resumes(evenpost)
    assert not late.resumes(evenpost)


def test_bad_keys_are_refused(sharing, ticket_keys, keys):
    """Those in force stay, and it is said."""
    _, put = ticket_keys
    evenpost = sharing(os.urandom(_KEY))
    visitor = Visitor(keys)
    assert not visitor.resumes(evenpost)
    put(b"half a key")
    evenpost.program.signal(signal.SIGHUP)
    said, refused = evenpost.wait_event("tls", count=2, level="error")
    assert said["why"].endswith("wanted 1 to 8 keys of 80 bytes each")
    assert refused["why"] == "the new files are refused: those in force stay"
    assert visitor.resumes(evenpost)
