"""Certificates that change while evenpost runs, and those that it does not start with."""

import json
import os
import re
import signal
import ssl
import threading

import pytest

from encryption import come
from harness.certificate import make_certificate
from harness.evenpost import Evenpost, configure_pool
from harness.tls_client import client_context
from harness.waiting import LIMIT, wait_until


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


def in_file(certificate):
    return ssl.PEM_cert_to_DER_cert(certificate.read_text())


def shown(evenpost, name="mx.example"):
    """The certificate that a client sees now under that name."""
    with come(evenpost.port, "starttls", name=name) as client:
        return client.socket.getpeercert(True)


def metric(evenpost, sample):
    metrics = evenpost.get("/metrics")[1].decode()
    return int(re.search(rf"^{re.escape(sample)} ([0-9]+)$", metrics, re.MULTILINE)[1])


def expiry(evenpost):
    """What the metrics say of the first certificate."""
    return metric(evenpost, 'evenpost_certificate_expiry_seconds{certificate="0"}')


def test_new_files_are_taken_over(evenpost_before, scripted_servers, scratch, live):
    certificate, key, put = live
    put(make_pair(scratch, "first"))
    evenpost = evenpost_before(*scripted_servers(1), **encrypted(certificate, key))
    before = expiry(evenpost)
    second = make_pair(scratch, "second")
    put(second)
    (line,) = evenpost.wait_event("tls", level="info")
    assert line["why"] == "certificates and passwords taken over"
    assert line["certificates"] == "1"
    assert expiry(evenpost) >= before
    wait_until(lambda: shown(evenpost) == in_file(second[0]), "the new certificate")


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
    assert shown(evenpost) == in_file(first[0])
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
    text = evenpost.file.read_text()
    before = text[: text.index(json.dumps(missing))]
    line, column = before.count("\n") + 1, len(before) - before.rindex("\n")
    assert evenpost.program.log().splitlines() == [
        f"{evenpost.file}:{line}:{column}: tls.certificates[0].certificate: "
        f"{missing}: No such file or directory"
    ]


def refused(evenpost):
    """What the API says, and that the metrics say as much."""
    status, body = evenpost.get("/api/v1/status")
    assert status == 200
    files = json.loads(body)["refused_files"]
    assert metric(evenpost, "evenpost_refused_files") == len(files)
    return files


def test_a_refusal_is_seen_while_it_lasts(
    evenpost_before, scripted_servers, scratch, live
):
    certificate, key, put = live
    first, second = make_pair(scratch, "first"), make_pair(scratch, "second")
    put(first)
    evenpost = evenpost_before(*scripted_servers(1), **encrypted(certificate, key))
    assert refused(evenpost) == []
    put((second[0], first[1]))
    evenpost.wait_event("tls", level="error")
    (file,) = refused(evenpost)
    assert (file["file"], file["path"]) == (str(key), "tls.certificates[0].key")
    assert file["why"].startswith(f"not the key of the certificate in {certificate}: ")
    put(second)
    evenpost.wait_event("tls", level="info")
    assert refused(evenpost) == []


def test_one_bad_pair_holds_up_no_other(tls_before, scripted_servers, keys):
    """Of two certificates that are renewed one is no good: the other is shown, and the
    old one of the first."""
    mx = keys.authority.issue("mx.example", file="two-mx")
    other = keys.authority.issue("other.example", file="two-other")
    before = in_file(mx.certificate)
    evenpost = tls_before(*scripted_servers(1), pairs=[mx, other])
    fresh = keys.authority.issue("other.example", file="two-fresh")
    replace(other, fresh)
    mx.certificate.write_text("no certificate")
    evenpost.program.signal(signal.SIGHUP)
    evenpost.wait_event("tls", level="info")
    assert [file["path"] for file in refused(evenpost)] == [
        "tls.certificates[0].certificate"
    ]
    wait_until(
        lambda: shown(evenpost, "other.example") == in_file(fresh.certificate),
        "the new certificate",
    )
    assert shown(evenpost, "mx.example") == before


def replace(pair, by):
    """Puts another pair into the files, the key first and each at once."""
    for target, source in ((pair.key, by.key), (pair.certificate, by.certificate)):
        fresh = target.with_suffix(".new")
        fresh.write_bytes(source.read_bytes())
        fresh.rename(target)


class Visitors:
    """Clients that come with full handshakes, send a message and go, until stopped."""

    def __init__(self, evenpost, way, keys, threads=2):
        self.arguments = (evenpost.port, way)
        self.keys = keys
        self.shown = []  # the certificate that it was, of each that has gone
        self.failures = []
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self._come_and_go) for _ in range(threads)]
        for thread in self.threads:
            thread.start()

    def _come_and_go(self):
        while not self.stopping.is_set() and not self.failures:
            try:
                with come(*self.arguments, client_context(self.keys.authority)) as client:
                    shown = client.socket.getpeercert(True)
                    client.send_message()
                    client.command("QUIT", 221)
                self.shown.append(shown)
            except Exception as error:  # whatever it is, it is a client's trouble
                self.failures.append(error)

    def wait_for(self, condition, what):
        """Of what was shown since now."""
        before = len(self.shown)
        wait_until(lambda: self.failures or condition(self.shown[before:]), what)
        assert not self.failures, self.failures

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()
        assert not self.failures, self.failures


@pytest.mark.parametrize("tls", ["offer", "implicit"])
def test_certificates_are_swapped(tls_before, scripted_servers, keys, tls):
    """A hundred times, while clients come and go, and one stays: none notices but by
    what it is shown. Then a bad pair is refused, and the last good one shown on."""
    (server,) = scripted_servers(1)
    pair = keys.authority.issue("mx.example", file=f"swapped-{tls}")
    evenpost = tls_before(server, tls=tls, pairs=[pair], workers=2)
    way = "implicit" if tls == "implicit" else "starttls"
    with come(evenpost.port, way) as stays:
        visitors = Visitors(evenpost, way, keys)
        for number in range(100):
            fresh = keys.mx if number % 2 else keys.mx_rsa
            replace(pair, fresh)
            evenpost.program.signal(signal.SIGHUP)
            evenpost.wait_event("tls", count=number + 1, level="info")
            good = in_file(fresh.certificate)
            visitors.wait_for(lambda shown: good in shown, f"certificate {number}")
        stays.send_message()
        visitors.stop()
    assert len(visitors.shown) >= 100
    assert len(server.messages) == len(visitors.shown) + 1
    pair.key.write_bytes(keys.other.key.read_bytes())
    evenpost.program.signal(signal.SIGHUP)
    evenpost.wait_event("tls", level="error")
    with come(evenpost.port, way, client_context(keys.authority)) as client:
        assert client.socket.getpeercert(True) == good
