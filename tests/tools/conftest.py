"""Fixtures of the tools' own tests."""

import functools

import pytest

from harness.pki import Authority
from harness.tools import Sink


@pytest.fixture
def sink(scratch):
    """Starts sinks: sink("--lmtp", "--fault", "mail=drop")."""
    started = []

    def start(*options, **keys):
        started.append(Sink(scratch, *options, **keys).start())
        return started[-1]

    yield start
    for running in started:
        if running.is_alive():
            running.stop()


@pytest.fixture(scope="session")
def authority(session_scratch):
    return Authority(session_scratch)


@pytest.fixture(scope="session")
def pair(authority):
    """A certificate for the sink's address and one of its names."""
    return authority.issue("IP:127.0.0.1", file="sink")


@pytest.fixture
def tls_sink(sink, pair):
    """Starts sinks with that certificate."""
    shown = ["--tls-certificate", pair.certificate, "--tls-key", pair.key]
    return functools.partial(sink, *shown)
