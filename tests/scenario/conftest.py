"""Makes each dialogue of the .smtp files a test."""

import pytest

from dialogue import read_dialogues
from encryption import SERVERS, Keys, context_of, make_certificates
from harness import program
from harness.pki import Authority
from harness.scratch import make_scratch, remove_scratch
from harness.scripted_server import EXTENSIONS, ScriptedServer
from logins import MECHANISMS, PASSWORD, USER
from stage import Stage, StepFailed

# How what is said is cut into writes: {name: octets}; 0 is not at all.
_WAYS = {"whole": 0, "octets": 1}


def pytest_configure(config):
    config.addinivalue_line("markers", "threads: exercises threads, for TSan")


def pytest_collect_file(file_path, parent):
    if file_path.suffix == ".smtp":
        return DialogueFile.from_parent(parent, path=file_path)
    return None


@pytest.fixture(autouse=True)
def nothing_is_left_running():
    """Whatever a test started and did not end, because it failed, is ended."""
    before = list(program.running)
    yield
    for left in [p for p in program.running if p not in before]:
        left.kill()


# ---- TLS ----


@pytest.fixture(scope="session")
def keys():
    directory = make_scratch()
    yield Keys(directory)
    remove_scratch(directory)


@pytest.fixture
def tls_before(evenpost_before, keys):
    """An evenpost whose listener speaks TLS as told."""

    def start(*servers, tls="offer", pairs=None, pool=None, listener=None, **top):
        settings = {"certificates": [p.as_setting() for p in pairs or [keys.mx]]}
        settings.update(top.pop("tls_settings", {}))
        listener = {"tls": tls, **(listener or {})}
        return evenpost_before(*servers, pool=pool, listener=listener, tls=settings, **top)

    return start


@pytest.fixture(scope="session")
def authority(session_scratch):
    """Who signs the certificates of servers."""
    return Authority(session_scratch, "root")


@pytest.fixture(scope="session")
def certificates(session_scratch, authority):
    return make_certificates(session_scratch, authority)


@pytest.fixture
def tls_server(certificates):
    """Makes one of SERVERS."""
    made = []

    def make(kind, **keys):
        _, script = SERVERS[kind]
        server = ScriptedServer(tls=context_of(kind, certificates), **keys)
        for stage, action in script.items():
            server.on(stage, action)
        made.append(server)
        return server

    yield make
    for server in made:
        server.stop()


# ---- logins ----


@pytest.fixture
def checking_servers():
    """Servers that know one user."""
    servers = []

    def make(count=1, auth=MECHANISMS, extensions=EXTENSIONS, **keys):
        for _ in range(count):
            server = ScriptedServer(extensions=(*extensions, auth), **keys)
            server.users = {USER: PASSWORD}
            servers.append(server)
        return servers[-count:]

    yield make
    for server in servers:
        server.stop()


# ---- dialogues ----


class DialogueFile(pytest.File):
    def collect(self):
        for dialogue in read_dialogues(self.path):
            ways = dialogue.settings.pop("ways", "whole").split()
            for way in ways:
                name = dialogue.title if len(ways) == 1 else f"{dialogue.title} [{way}]"
                yield DialogueItem.from_parent(
                    self, name=name, dialogue=dialogue, split=_WAYS[way]
                )


class DialogueItem(pytest.Item):
    def __init__(self, *, dialogue, split, **keys):
        super().__init__(**keys)
        self.dialogue = dialogue
        self.split = split
        self.stage = None
        if dialogue.settings.get("top.workers", 1) > 1:
            self.add_marker(pytest.mark.threads)

    def setup(self):
        self.directory = make_scratch()

    def runtest(self):
        self.stage = Stage(self.dialogue, self.directory, self.split)
        self.stage.play()

    def teardown(self):
        if self.stage:
            self.stage.tear_down()
        remove_scratch(self.directory)

    def repr_failure(self, excinfo):
        if isinstance(excinfo.value, StepFailed):
            return f"{self.path}:{excinfo.value}\n{self.stage.transcript()}"
        return super().repr_failure(excinfo)

    def reportinfo(self):
        return self.path, None, self.name
