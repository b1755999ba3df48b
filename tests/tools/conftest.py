"""Fixtures of the tools' own tests."""

import pytest

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
