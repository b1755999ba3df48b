"""Other balancers, to stand in front of evenpost or beside it: HAProxy and nginx."""

import http.server
import pathlib
import threading

from harness.program import Program
from harness.waiting import free_port, has_greeting


class Front:
    """Takes connections on a port of its own and gives them to one address.

    Subclasses write their configuration and give the command line.
    """

    def __init__(self, directory, name, address):
        self.name = name
        self.directory = pathlib.Path(directory) / name
        self.directory.mkdir(mode=0o755)
        self.port = free_port()
        self.address = address
        self.program = None

    def write(self, name, text):
        file = self.directory / name
        file.write_text(text)
        return file

    def start(self):
        """Returns when the server behind it has greeted through it."""
        self.program = Program(self.command(), self.directory, self.name).start()
        self.program.wait_alive(
            lambda: has_greeting(self.port), f"a greeting through {self.name}"
        )
        return self

    def stop(self):
        """Asked to: killed, a master would leave its workers behind."""
        if self.program:
            self.program.terminate()

    def command(self):
        raise NotImplementedError


_HAPROXY = """\
defaults
  mode tcp
  timeout connect 5s
  timeout client 1m
  timeout server 1m
listen inbound
  bind 127.0.0.1:{port}
  server next {address} {option}
"""


class Haproxy(Front):
    """option is send-proxy or send-proxy-v2."""

    def __init__(self, directory, name, address, option):
        super().__init__(directory, name, address)
        self.option = option

    def command(self):
        text = _HAPROXY.format(
            port=self.port, address=self.address, option=self.option
        )
        return ["haproxy", "-db", "-f", self.write("haproxy.cfg", text)]


_NGINX = """\
load_module /usr/lib/nginx/modules/{module};
worker_processes 1;
daemon off;
pid {directory}/nginx.pid;
error_log {directory}/error.log error;
events {{ worker_connections 100; }}
{sections}
"""


class Nginx(Front):
    module = None

    def command(self):
        text = _NGINX.format(
            module=self.module, directory=self.directory, sections=self.sections()
        )
        file = self.write("nginx.conf", text)
        return ["nginx", "-p", self.directory, "-c", file]

    def sections(self):
        raise NotImplementedError


class NginxStream(Nginx):
    """Sends a PROXY header, version 1: it has no other."""

    module = "ngx_stream_module.so"

    def sections(self):
        return (
            f"stream {{ server {{ listen 127.0.0.1:{self.port};"
            f" proxy_pass {self.address}; proxy_protocol on; }} }}"
        )


class _Answer(http.server.BaseHTTPRequestHandler):
    """Lets everybody in, to the same server."""

    def do_GET(self):
        host, _, port = self.server.address.rpartition(":")
        self.send_response(200)
        for name, value in ("Status", "OK"), ("Server", host), ("Port", port):
            self.send_header(f"Auth-{name}", value)
        self.end_headers()

    def log_message(self, *_):
        pass


class NginxMail(Nginx):
    """Speaks SMTP and tells the server by XCLIENT; asks us which server, by HTTP."""

    module = "ngx_mail_module.so"

    def sections(self):
        return (
            f"mail {{ server_name {self.name}.test; smtp_auth none; xclient on;\n"
            f"auth_http 127.0.0.1:{self.answerer.server_port}/;\n"
            f"server {{ listen 127.0.0.1:{self.port}; protocol smtp; }} }}"
        )

    def start(self):
        self.answerer = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Answer)
        self.answerer.address = self.address
        threading.Thread(target=self.answerer.serve_forever, daemon=True).start()
        return super().start()

    def stop(self):
        try:
            super().stop()
        finally:
            self.answerer.shutdown()
            self.answerer.server_close()
