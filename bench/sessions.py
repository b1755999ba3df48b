"""Clients that have been greeted, or more than that, and say nothing more."""

from harness.evenpost import built_program
from harness.program import Program


class IdleSessions:
    """evenpost-load --idle for the length of a with statement."""

    def __init__(self, address, count, directory, *options):
        load = [built_program("evenpost-load"), "--idle", count, *options, address]
        self.program = Program(load, directory, f"idle-{address.rpartition(':')[2]}")

    def __enter__(self):
        self.program.start()
        self.program.wait_log(r"^idle \d+")
        return self

    def __exit__(self, *_):
        self.program.kill()
