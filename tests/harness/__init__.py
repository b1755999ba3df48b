"""What the suites share: real servers, evenpost itself, and peers that misbehave.

Everything here runs real processes or threads on free loopback ports, in a temporary
directory, and is ended by its own pid. Nothing waits for an amount of time: each
wait is for an event (a reply, a line in a log, a file), with a limit after which
the test fails and says what it was waiting for.
"""
