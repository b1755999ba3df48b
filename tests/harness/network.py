"""A network of its own: three machines in a row, each a network namespace. Needs root.

    client ---------- balancer ---------- server
    10.81.0.2, .3     .1   10.82.0.1      10.82.0.2
    fd81::2, ::3      ::1  fd82::1        fd82::2

The server sends by way of the balancer what is for elsewhere, and the balancer forwards
nothing.
"""

import contextlib
import ctypes
import itertools
import os
import subprocess

CLIENTS = {"IPv4": ("10.81.0.2", "10.81.0.3"), "IPv6": ("fd81::2", "fd81::3")}
BALANCER = {"IPv4": "10.81.0.1", "IPv6": "fd81::1"}
SERVER = {"IPv4": "10.82.0.2", "IPv6": "fd82::2"}
# The balancer's interface on the server's side.
SERVERS_INTERFACE = "servers"

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)
_numbers = itertools.count(1)


def endpoint(address, port=25):
    """As evenpost writes it."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def ip(*arguments):
    """Run ip; what it complains about is in the failure."""
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, f"ip {' '.join(arguments)}: {done.stderr}"


def _enter(descriptor):
    if _libc.setns(descriptor, _CLONE_NEWNET) < 0:
        raise OSError(ctypes.get_errno(), "setns")


class Machine:
    """One namespace, with lo."""

    def __init__(self, role):
        self.name = f"evenpost-{os.getpid()}-{next(_numbers)}-{role}"
        ip("netns", "add", self.name)

    @property
    def launcher(self):
        """What stands before a command line that is to be run there."""
        return ["ip", "netns", "exec", self.name]

    def ip(self, *arguments):
        ip("-n", self.name, *arguments)

    def run(self, command):
        """Run a line of shell there; it must succeed."""
        done = subprocess.run(
            [*self.launcher, "sh", "-c", command], capture_output=True, text=True
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"

    @contextlib.contextmanager
    def inside(self):
        """Sockets that this thread makes meanwhile are of that machine, for good."""
        here = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(f"/run/netns/{self.name}", os.O_RDONLY)
        try:
            _enter(there)
            yield
        finally:
            _enter(here)
            os.close(there)
            os.close(here)

    def set_up(self, interface, *addresses):
        for address in addresses:
            self.ip("address", "add", address, "dev", interface, "nodad")
        self.ip("link", "set", interface, "up")

    def remove(self):
        ip("netns", "delete", self.name)


class Network:
    """The three, from its making until remove()."""

    def __init__(self):
        self._removals = contextlib.ExitStack()
        with contextlib.ExitStack() as unless_made:
            unless_made.callback(self.remove)
            self._make()
            unless_made.pop_all()

    def _add(self, role):
        machine = Machine(role)
        self._removals.callback(machine.remove)
        machine.ip("link", "set", "lo", "up")
        return machine

    def _make(self):
        self.client, self.balancer, self.server = map(
            self._add, ("client", "balancer", "server")
        )
        self._join(self.client, "clients")
        self._join(self.server, SERVERS_INTERFACE)
        self.client.set_up(
            "balancer",
            *(f"{address}/24" for address in CLIENTS["IPv4"]),
            *(f"{address}/64" for address in CLIENTS["IPv6"]),
        )
        self.balancer.set_up("clients", "10.81.0.1/24", "fd81::1/64")
        self.balancer.set_up(SERVERS_INTERFACE, "10.82.0.1/24", "fd82::1/64")
        self.server.set_up("balancer", "10.82.0.2/24", "fd82::2/64")
        self.server.ip("route", "add", "default", "via", "10.82.0.1")
        self.server.ip("-6", "route", "add", "default", "via", "fd82::1")

    def _join(self, machine, interface):
        """A wire between the balancer's interface and the machine's."""
        wire = ["type", "veth", "peer", "name", "balancer", "netns", machine.name]
        self.balancer.ip("link", "add", interface, *wire)

    def lead_replies_back(self, family):
        """What docs/client-address.md says to do on evenpost's machine."""
        option = ["-6"] if family == "IPv6" else []
        table = ["dev", "lo", "table", "100"]
        rule = f"iif {SERVERS_INTERFACE} from {SERVER[family]} ipproto tcp sport 25"
        self.balancer.ip(*option, "route", "add", "local", "default", *table)
        self.balancer.ip(*option, "rule", "add", *rule.split(), "lookup", "100")

    def remove(self):
        """All of them, whatever becomes of one."""
        self._removals.close()
