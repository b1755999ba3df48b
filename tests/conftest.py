"""Fixtures of all suites: what they start ends with the test, its logs are shown."""

import pytest

from harness import program
from harness.evenpost import Evenpost, configure_pool
from harness.scratch import make_scratch, remove_scratch
from harness.scripted_server import ScriptedServer


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for running in program.running:
            report.sections.append((f"log of {running.name}", running.tail()))


@pytest.fixture
def scratch():
    directory = make_scratch()
    yield directory
    remove_scratch(directory)


@pytest.fixture(scope="session")
def session_scratch():
    directory = make_scratch()
    yield directory
    remove_scratch(directory)


@pytest.fixture
def scripted_servers():
    """Makes servers that misbehave on request: first, second = scripted_servers(2)."""
    servers = []

    def make(count=1, **keys):
        made = [ScriptedServer(**keys) for _ in range(count)]
        servers.extend(made)
        return made

    yield make
    for server in servers:
        server.stop()


@pytest.fixture
def evenpost_before(scratch):
    """Starts an evenpost before servers; one pool, named s1, s2, ... in their order.

    evenpost_before(first, second, pool={...}, listener={...}, top-level keys)
    listeners={name: keys} for several; otherwise it is one, called inbound.
    """
    started = []

    def start(*servers, pool=None, listener=None, listeners=None, ready=True, **top):
        named = {f"s{n}": server.address for n, server in enumerate(servers, 1)}
        evenpost = Evenpost(
            scratch,
            {"hubs": configure_pool(named, **(pool or {}))},
            listeners or {"inbound": listener or {}},
            name=f"evenpost{len(started) + 1}",
            **top,
        )
        started.append(evenpost)
        return evenpost.start(ready)

    yield start
    for evenpost in started:
        evenpost.stop()
