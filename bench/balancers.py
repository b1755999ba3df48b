"""evenpost and its peers, each configured to do the same and no more.

One thread, no logging, no checks of servers beyond what is on by default.
"""

import json
import pathlib
import socket
import subprocess

import machine
from harness.evenpost import built_program
from harness.pki import Authority
from harness.program import Program
from harness.waiting import free_port, has_greeting

# Two descriptors each, and half of one for pipes, must stay below the usual limit.
MAX_CONNECTIONS = 7000

_STARTTLS = ("--tls", "starttls")


class Direct:
    """No balancer: the first server itself."""

    name = "direct"
    pids = ()

    def __init__(self, _directory, servers):
        self.address = servers.addresses[0]

    def start(self):
        return self

    def stop(self):
        pass

    def cpu_seconds(self):
        return 0.0


class Balancer:
    """A program between a port and servers. Subclasses say how it is run."""

    name = None
    identity = "none"  # how it tells the servers who the client is
    probe = ()  # options of the load that is sent before it is measured

    def __init__(self, directory, servers):
        self.directory = pathlib.Path(directory) / self.name.replace(" ", "-")
        self.directory.mkdir()
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        told = self.identity != "none"
        self.servers = (servers.told[self.identity] if told else servers).addresses
        self.program = None
        self.pids = []

    def write(self, name, text):
        file = self.directory / name
        file.write_text(text)
        return file

    def start(self):
        self.program = Program(self.command(), self.directory, "program").start()
        self.program.wait_alive(self.is_ready, f"mail through {self.name}")
        self.pids = machine.children(self.program.pid)
        return self

    def is_ready(self):
        if not has_greeting(self.port):
            return False
        load = [built_program("evenpost-load"), "-n", "1", *self.probe, self.address]
        return not subprocess.run(load, capture_output=True, check=False).returncode

    def stop(self):
        if self.program:
            self.program.kill()

    def cpu_seconds(self):
        return machine.cpu_seconds(self.pids)

    def command(self):
        raise NotImplementedError


class Evenpost(Balancer):
    name = "evenpost"
    log_level = "warning"
    listener = {}
    pool = {}

    def settings(self):
        """Further keys of the top level."""
        return {}

    def command(self):
        servers = {f"s{i}": address for i, address in enumerate(self.servers)}
        configuration = {
            "hostname": "bench.example",
            "workers": 1,
            "admin": {"socket": "off"},
            "log": {"to": str(self.directory / "log"), "level": self.log_level},
            "listeners": {
                "inbound": {
                    "bind": self.address,
                    "max-connections-per-client": MAX_CONNECTIONS,
                    "pool": "servers",
                    **self.listener,
                }
            },
            "pools": {
                "servers": {"servers": servers, "identity": self.identity, **self.pool}
            },
            **self.settings(),
        }
        # JSON is YAML, and needs no library to write.
        file = self.write("evenpost.yaml", json.dumps(configuration))
        return [built_program("evenpost"), "run", "-c", file]


class LoggingEvenpost(Evenpost):
    """As it is by default: a line a session and a line a message, to a file."""

    name = "evenpost, logging"
    log_level = "info"


def _make_pairs(directory, keys):
    authority = Authority(directory)
    return [authority.issue("bench.example", kind=kind) for kind in keys]


class StarttlsEvenpost(Evenpost):
    """Offers STARTTLS, with a certificate for each kind of key."""

    listener = {"tls": "offer"}
    probe = _STARTTLS

    def __init__(self, directory, servers, keys=("ecdsa",)):
        super().__init__(directory, servers)
        self.pairs = _make_pairs(self.directory, keys)

    def settings(self):
        return {"tls": {"certificates": [pair.as_setting() for pair in self.pairs]}}


class EncryptingEvenpost(StarttlsEvenpost):
    """Insists on STARTTLS towards servers too."""

    pool = {"tls": "require"}


class ConnectionEvenpost(Evenpost):
    name = "evenpost, mode: connection"
    listener = {"mode": "connection"}


class ProxyEvenpost(Evenpost):
    name = "evenpost, identity: proxy-v2"
    identity = "proxy-v2"


class XclientEvenpost(Evenpost):
    name = "evenpost, identity: xclient"
    identity = "xclient"


class Haproxy(Balancer):
    name = "haproxy"
    options = ""
    server_options = ""

    _FILE = """\
global
  nbthread 1
  maxconn {maximum}
defaults
  mode tcp
  timeout connect 5s
  timeout client 5m
  timeout server 5m
{options}listen inbound
  bind {address}
  balance roundrobin
"""

    def command(self):
        text = self._FILE.format(
            address=self.address, maximum=MAX_CONNECTIONS, options=self.options
        )
        for index, address in enumerate(self.servers):
            text += f"  server s{index} {address}{self.server_options}\n"
        return ["haproxy", "-db", "-f", self.write("haproxy.cfg", text)]


class HaproxySplice(Haproxy):
    """Its bytes pass through pipes of the kernel."""

    name = "haproxy, splice"
    options = "  option splice-request\n  option splice-response\n"


class HaproxyProxy(Haproxy):
    """In the column of haproxy: a row has one of the two."""

    identity = "proxy-v2"
    server_options = " send-proxy-v2"


class Nginx(Balancer):
    """One worker; the master only waits for signals."""

    module = None

    _FILE = """\
worker_processes 1;
daemon off;
pid {directory}/nginx.pid;
error_log {directory}/error.log error;
worker_rlimit_nofile 20000;
events {{ worker_connections 19000; }}
"""

    def command(self):
        module = f"load_module /usr/lib/nginx/modules/{self.module};\n" if self.module else ""
        text = module + self._FILE.format(directory=self.directory) + self.sections()
        return ["nginx", "-p", self.directory, "-c", self.write("nginx.conf", text)]

    def stop(self):
        """Killed, the master would leave its worker behind."""
        if self.program:
            self.program.terminate()

    def sections(self):
        raise NotImplementedError


class NginxStream(Nginx):
    name = "nginx stream"
    module = "ngx_stream_module.so"

    def sections(self):
        servers = "".join(f"server {address}; " for address in self.servers)
        return (
            f"stream {{ upstream servers {{ {servers}}}\n"
            f"server {{ listen {self.address} backlog=4096; tcp_nodelay on;\n"
            "proxy_pass servers; proxy_timeout 5m; } }\n"
        )


class NginxMail(Nginx):
    """Its auth_http is a second nginx that always names the same server. The time of
    both counts, for without it no mail passes."""

    name = "nginx mail"
    module = "ngx_mail_module.so"

    def __init__(self, directory, servers):
        super().__init__(directory, servers)
        self.answerer = AuthHttp(self.directory, servers)

    def directives(self):
        """Further ones of its server."""
        return ""

    def sections(self):
        return (
            f"mail {{ auth_http {self.answerer.address}/; server_name bench.example;\n"
            f"server {{ listen {self.address} backlog=4096; protocol smtp; timeout 5m;\n"
            f"smtp_auth none; xclient off; smtp_greeting_delay 0; {self.directives()}}} }}\n"
        )

    def start(self):
        self.answerer.start()
        super().start()
        self.pids += self.answerer.pids
        return self

    def stop(self):
        super().stop()
        self.answerer.stop()


class StarttlsNginxMail(NginxMail):
    """TLS 1.3 is off by default in this version, and on in evenpost."""

    probe = _STARTTLS

    def __init__(self, directory, servers, keys=("ecdsa",)):
        super().__init__(directory, servers)
        self.pairs = _make_pairs(self.directory, keys)

    def directives(self):
        return "starttls on; ssl_protocols TLSv1.2 TLSv1.3;\n" + "".join(
            f"ssl_certificate {pair.certificate}; ssl_certificate_key {pair.key};\n"
            for pair in self.pairs
        )


class AuthHttp(Nginx):
    """Answers every question of nginx mail with the first server."""

    name = "auth_http"

    def sections(self):
        host, _, port = self.servers[0].rpartition(":")
        return (
            "http { access_log off; keepalive_timeout 0;\n"
            f"server {{ listen {self.address} backlog=4096; location / {{\n"
            f"add_header Auth-Status OK; add_header Auth-Server {host};\n"
            f"add_header Auth-Port {port}; return 204; }} }} }}\n"
        )

    def is_ready(self):
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self.port)) == 0
