"""What the mail is sent to. Each has addresses; start() returns when it greets."""

import re

from harness.evenpost import built_program
from harness.peer import run_in_root
from harness.pki import Authority
from harness.postfix import Postfix
from harness.program import Program
from harness.waiting import free_port, has_greeting

_SERVERS = 3  # one process listens on as many ports


class Sinks:
    """evenpost-sink: takes everything and throws it away."""

    def __init__(self, directory, *options):
        listen = [f"--listen=127.0.0.1:{free_port()}" for _ in range(_SERVERS)]
        self.addresses = [option.partition("=")[2] for option in listen]
        self.program = Program(
            [built_program("evenpost-sink"), *listen, *options],
            directory,
            "-".join(["sink", *(option.strip("-") for option in options)]),
        )

    def start(self):
        self.program.start()
        self.program.wait_alive(
            lambda: len(re.findall(r"^listening", self.program.log(), re.M)) == _SERVERS,
            "evenpost-sink",
        )
        return self

    def stop(self):
        self.program.kill()


class ToldSinks(Sinks):
    """Beside those, others that are told who the client is."""

    def __init__(self, directory):
        super().__init__(directory)
        self.told = {
            "proxy-v2": Sinks(directory, "--proxy"),
            "xclient": Sinks(directory, "--xclient"),
        }

    def start(self):
        for sinks in self.told.values():
            sinks.start()
        return super().start()

    def stop(self):
        for sinks in self.told.values():
            sinks.stop()
        super().stop()


class SmtpSinks:
    """Postfix's smtp-sink."""

    def __init__(self, directory):
        self.ports = [free_port() for _ in range(_SERVERS)]
        self.addresses = [f"127.0.0.1:{port}" for port in self.ports]
        self.programs = [
            Program(
                run_in_root(
                    "postfix", directory, ["/usr/sbin/smtp-sink", "-u", "nobody", address, "1000"]
                ),
                directory,
                f"smtp-sink{index}",
            )
            for index, address in enumerate(self.addresses)
        ]

    def start(self):
        for program, port in zip(self.programs, self.ports):
            program.start()
            program.wait_alive(lambda port=port: has_greeting(port), "smtp-sink")
        return self

    def stop(self):
        for program in self.programs:
            program.kill()


_DISCARDS = """\
smtpd_relay_restrictions = permit_mynetworks, reject
default_transport = discard:
default_process_limit = 150
in_flow_delay = 0
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtpd_client_message_rate_limit = 0
smtpd_client_recipient_rate_limit = 0
"""

_DISCARD_SERVICE = "discard   unix  -       -       n       -       -       discard\n"


class DiscardingPostfix(Postfix):
    """Postfix with its queue on disk; what it has queued, it throws away."""

    def settings(self):
        return _DISCARDS

    def configure(self):
        super().configure()
        services = self.directory / "conf" / "master.cf"
        services.write_text(services.read_text() + _DISCARD_SERVICE)

    def __init__(self, directory):
        super().__init__(directory, "postfix")
        self.addresses = [self.address]


_ENCRYPTS = """\
smtpd_tls_security_level = may
smtpd_tls_chain_files = /instance/chain.pem
"""


class EncryptingPostfix(DiscardingPostfix):
    """The same with STARTTLS, and an RSA key, as Debian makes one for it."""

    def settings(self):
        return super().settings() + _ENCRYPTS

    def configure(self):
        super().configure()
        pair = Authority(self.directory).issue("postfix.test", kind="rsa")
        chain = pair.key.read_text() + pair.certificate.read_text()
        self.write("chain.pem", chain).chmod(0o600)
