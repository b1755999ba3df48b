"""evenpost itself: configured, started, watched and stopped.

EVENPOST_BUILD names the build directory; without it, build/ of the repository.
"""

import http.client
import json
import os
import pathlib
import re
import socket
import types
import urllib.error
import urllib.request

from harness.peer import REPOSITORY
from harness.program import Program
from harness.waiting import LIMIT, free_port, wait_until

# A probe soon after every change, so that no test waits for one.
EAGER_HEALTH = {
    "probe": "ehlo",
    "interval": "250ms",
    "fast-interval": "100ms",
    "down-interval": "100ms",
    "timeout": "30s",
    "rise": 1,
    "fall": 2,
}

# No probe but the first, so that no other changes what a test looks at.
PROBED_ONCE = {
    **EAGER_HEALTH,
    **dict.fromkeys(("interval", "fast-interval", "down-interval"), "1h"),
    "fall": 1,
}

_FIELD = re.compile(r'([^\s=]+)=("(?:[^"\\]|\\.)*"|\S*)')
_ESCAPED = re.compile(r"\\(x[0-9a-fA-F]{2}|.)")
_SANITIZER = re.compile(
    r"ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:|Assertion .* failed"
)


def build_directory():
    default = REPOSITORY / "build"
    return pathlib.Path(os.environ.get("EVENPOST_BUILD", default)).resolve()


def built_program(name):
    """The path of a program of the build; fails with a hint if it is not there."""
    path = build_directory() / name
    assert path.exists(), f"{path} is missing - build first, or set EVENPOST_BUILD"
    return path


def _unescape(match):
    escaped = match.group(1)
    return chr(int(escaped[1:], 16)) if len(escaped) == 3 else escaped


def read_logfmt(line):
    """One logfmt line as {key: text}; an empty one if it is none."""
    return {
        key: _ESCAPED.sub(_unescape, text[1:-1] if text.startswith('"') else text)
        for key, text in _FIELD.findall(line)
    }


def configure_pool(servers, **keys):
    """A pool of {name: "HOST:PORT" or the long form}, with further keys of a pool."""
    return {"servers": servers, "health": EAGER_HEALTH, **keys}


def configured(server, **keys):
    """A server for evenpost_before, with keys of its own: max_connections=1."""
    written = {key.replace("_", "-"): value for key, value in keys.items()}
    return types.SimpleNamespace(address={"address": server.address, **written})


class Evenpost:
    """One evenpost between tests and servers.

    pools is {name: pool}, as configure_pool makes them. listeners is {name: keys};
    bind is chosen here, and pool is the first of the pools, unless it or routes is given. launcher
    stands before the program on its command line. by_socket: it is asked over
    admin.socket, and has no admin.http: where it runs in another network. Everything
    else goes to the top level of the configuration.
    """

    def __init__(
        self,
        directory,
        pools,
        listeners=None,
        name="evenpost",
        launcher=(),
        by_socket=False,
        **top,
    ):
        self.directory = pathlib.Path(directory) / name
        self.directory.mkdir()
        self.name = name
        self.launcher = launcher
        self.by_socket = by_socket
        self.socket = self.directory / "admin.sock"
        self.http_port = free_port()
        self.ports = {}
        self.configuration = {
            "hostname": "evenpost.test",
            "workers": 2,
            "admin": {
                "socket": str(self.socket),
                "http": "off" if by_socket else f"127.0.0.1:{self.http_port}",
            },
            "log": {"to": "stderr", "format": "logfmt", "level": "info"},
            "listeners": {
                listener: self._complete(listener, keys, pools)
                for listener, keys in (listeners or {"inbound": {}}).items()
            },
            "pools": pools,
            **top,
        }
        self.file = self.directory / "evenpost.yaml"
        self.program = None

    def _complete(self, listener, keys, pools):
        self.ports[listener] = free_port()
        bind = f"127.0.0.1:{self.ports[listener]}"
        pool = {} if "routes" in keys else {"pool": next(iter(pools))}
        return {"bind": bind, **pool, **keys}

    @property
    def port(self):
        """The port of the first listener."""
        return next(iter(self.ports.values()))

    def start(self, ready=True):
        """Run it; with ready, wait until every server has had a first probe."""
        # JSON is YAML, and needs no library to write.
        self.file.write_text(json.dumps(self.configuration, indent=1) + "\n")
        self.program = Program(
            [*self.launcher, built_program("evenpost"), "run", "-c", self.file],
            self.directory,
            self.name,
        ).start()
        if ready:
            self.program.wait_alive(self.is_observed, "first probes of evenpost")
        return self

    def wait_ready(self, limit=LIMIT):
        self.program.wait_alive(self.is_ready, "/readyz of evenpost", limit)

    def stop(self):
        """SIGTERM; it must end well and must not have complained."""
        if self.program is None or self.program.ended:
            return
        status = self.program.terminate()
        assert status == 0, f"it ended with {status}:\n{self.program.tail(60)}"
        self._check_log()

    def kill(self):
        """SIGKILL, as when the machine dies; until then it must have been alive."""
        assert self.program.is_alive(), self.program.tail(60)
        self.program.kill()
        self._check_log()

    def _check_log(self):
        complaint = _SANITIZER.search(self.program.log())
        assert not complaint, self.program.log()[complaint.start() :][:8000]

    # What it says over HTTP.

    def get(self, path):
        """(status, body) of a path of its HTTP; the status is 0 without an answer."""
        if self.by_socket:
            return self._get_by_socket(path)
        try:
            url = f"http://127.0.0.1:{self.http_port}{path}"
            with urllib.request.urlopen(url, timeout=LIMIT) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()
        except OSError:
            return 0, b""

    def _get_by_socket(self, path):
        connection = http.client.HTTPConnection("evenpost")
        with socket.socket(socket.AF_UNIX) as connection.sock:
            try:
                connection.sock.settimeout(LIMIT)
                connection.sock.connect(str(self.socket))
                connection.request("GET", path)
                answer = connection.getresponse()
                return answer.status, answer.read()
            except (OSError, http.client.HTTPException):
                return 0, b""

    def is_ready(self):
        return self.get("/readyz")[0] == 200

    def is_observed(self):
        """Ready, or it would be if the servers that are up had no fault."""
        status, checks = self.get("/readyz?verbose")
        if b"no server that is up gets mail" in checks:
            return b"no probe result yet" not in checks
        return status == 200

    def pools(self):
        """GET /api/v1/pools as {pool: {server: {...}}}."""
        status, body = self.get("/api/v1/pools")
        assert status == 200, f"/api/v1/pools: {status} {body!r}"
        return {
            pool["name"]: {server["name"]: server for server in pool["servers"]}
            for pool in json.loads(body)["pools"]
        }

    def messages(self, pool=None):
        """What each server of a pool (or of the first) accepted: {server: messages}."""
        servers = self.pools()[pool or next(iter(self.configuration["pools"]))]
        return {name: server["messages"] for name, server in servers.items()}

    def wait_state(self, server, state, pool=None, limit=LIMIT):
        """Wait until a server is up, down, ejected, ..."""
        pool = pool or next(iter(self.configuration["pools"]))
        self.program.wait_alive(
            lambda: self.pools()[pool][server]["state"] == state,
            f"{pool}/{server} to be {state}",
            limit,
        )

    # What it logs.

    def log_events(self, event=None, **fields):
        """The log lines of an event, as dicts, with these values (as text).

        In the order of their times: each thread's lines are written in one go.
        """
        wanted = {**({"event": event} if event else {}), **fields}
        lines = map(read_logfmt, self.program.log().splitlines())
        lines = sorted(lines, key=lambda line: line.get("time", ""))
        return [
            line
            for line in lines
            if line and all(line.get(key) == str(wanted[key]) for key in wanted)
        ]

    def wait_event(self, event, count=1, limit=LIMIT, **fields):
        """Wait for count such lines; returns them."""

        def enough():
            lines = self.log_events(event, **fields)
            return lines if len(lines) >= count else None

        return wait_until(enough, f"{count} log lines event={event} {fields}", limit)
