"""Certificates that change while evenpost runs, and those that it does not start with."""

import os
import re
import signal

import pytest

from harness.certificate import make_certificate
from harness.evenpost import Evenpost, configure_pool
from harness.waiting import LIMIT


def make_pair(scratch, name):
    """(certificate, key) in a directory of that name, for a host of that name."""
    directory = scratch / name
    directory.mkdir()
    return make_certificate(directory, f"{name}.example.com")


@pytest.fixture
def live(scratch):
    """Paths of certificate and key, and a function that puts a pair there."""
    certificate, key = scratch / "live.pem", scratch / "live.key"

    def put(pair):
        for link, target in zip((certificate, key), pair):
            fresh = link.with_suffix(".new")
            fresh.symlink_to(target)
            os.replace(fresh, link)

    return certificate, key, put


def encrypted(certificate, key):
    return {
        "listener": {"tls": "offer"},
        "tls": {"certificates": [{"certificate": str(certificate), "key": str(key)}]},
    }


def expiry(evenpost):
    """What the metrics say of the first certificate."""
    metrics = evenpost.get("/metrics")[1].decode()
    family = r'^evenpost_certificate_expiry_seconds\{certificate="0"\} ([0-9]+)$'
    return int(re.search(family, metrics, re.MULTILINE)[1])


def test_new_files_are_taken_over(evenpost_before, scripted_servers, scratch, live):
    certificate, key, put = live
    put(make_pair(scratch, "first"))
    evenpost = evenpost_before(*scripted_servers(1), **encrypted(certificate, key))
    before = expiry(evenpost)
    put(make_pair(scratch, "second"))
    (line,) = evenpost.wait_event("tls", level="info")
    assert line["why"] == "certificates and passwords taken over"
    assert line["certificates"] == "1"
    assert expiry(evenpost) >= before


def test_a_signal_tells_of_new_files(evenpost_before, scripted_servers, scratch, live):
    certificate, key, put = live
    put(make_pair(scratch, "first"))
    evenpost = evenpost_before(*scripted_servers(1), **encrypted(certificate, key))
    put(make_pair(scratch, "second"))
    evenpost.program.signal(signal.SIGHUP)
    evenpost.wait_event("signal", why="reload is not in this build yet")
    # the line of the signal comes behind it
    assert evenpost.log_events("tls", why="certificates and passwords taken over")


def test_bad_files_are_refused(evenpost_before, scripted_servers, scratch, live):
    certificate, key, put = live
    first, second = make_pair(scratch, "first"), make_pair(scratch, "second")
    put(first)
    evenpost = evenpost_before(*scripted_servers(1), **encrypted(certificate, key))
    put((second[0], first[1]))
    evenpost.program.signal(signal.SIGHUP)
    evenpost.wait_event("signal")
    why = [line["why"] for line in evenpost.log_events("tls", level="error")]
    assert why[0].startswith(f"tls.certificates[0].key: {key}: not the key of")
    assert why[1] == "the new files are refused: those in force stay"
    assert not evenpost.log_events("tls", level="info")
    put(second)
    evenpost.program.signal(signal.SIGHUP)
    evenpost.wait_event("tls", level="info")


def test_no_start_without_its_files(scripted_servers, scratch):
    servers = {"s1": scripted_servers(1)[0].address}
    missing = str(scratch / "missing")
    evenpost = Evenpost(
        scratch,
        {"hubs": configure_pool(servers)},
        {"inbound": {"tls": "offer"}},
        tls={"certificates": [{"certificate": missing, "key": missing}]},
    )
    evenpost.start(ready=False)
    assert evenpost.program.process.wait(LIMIT) == 78
    (line,) = evenpost.log_events("tls", level="error")
    assert line["why"] == (
        f"tls.certificates[0].certificate: {missing}: No such file or directory"
    )
