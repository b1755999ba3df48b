#!/usr/bin/python3
"""An SMTP server whose 250 means "on disk": journal_server.py PORT FILE

It has nothing in common with evenpost's own code, so that it can be the judge of it.
Before each 250 a line "NUMBER RECIPIENTS DIGEST" is appended to FILE and synced; NUMBER
is the message's X-Number, DIGEST the SHA-256 of all its bytes. It dawdles a little
before and after that, so that a SIGKILL hits every stage of a transaction.
"""

import hashlib
import os
import random
import re
import socketserver
import sys
import time

_LONGEST_PAUSE = 0.004


def dawdle():
    time.sleep(random.uniform(0, _LONGEST_PAUSE))


class Session(socketserver.StreamRequestHandler):
    """One connection: enough SMTP for evenpost, nothing of the rest."""

    rbufsize = 65536
    disable_nagle_algorithm = True

    def handle(self):
        try:
            self.reply("220 journal.test ESMTP")
            while line := self.rfile.readline():
                if not self.serve(line.decode().strip()):
                    return
        except OSError:
            pass

    def serve(self, line):
        """Answer one command; false after the last one."""
        verb = line[:4].upper()
        if verb == "EHLO":
            self.reply("250-journal.test\r\n250-PIPELINING\r\n250 8BITMIME")
        elif verb == "DATA":
            self.reply("354 go ahead")
            return self.receive()
        elif verb == "QUIT":
            self.reply("221 2.0.0 Bye")
            return False
        else:
            if verb in ("MAIL", "RSET"):
                self.recipients = 0
            if verb == "RCPT":
                self.recipients += 1
            self.reply("250 2.0.0 Ok")
        return True

    def receive(self):
        """Read a message to its end and keep it; false if it has none."""
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            if not line:
                return False
            lines.append(line[1:] if line.startswith(b".") else line)
        dawdle()
        self.keep(b"".join(lines))
        dawdle()
        self.reply("250 2.0.0 Ok: kept")
        return True

    def keep(self, content):
        number = re.search(rb"^X-Number: (\d+)", content, re.MULTILINE).group(1)
        digest = hashlib.sha256(content).hexdigest().encode()
        os.write(self.server.journal, b"%s %d %s\n" % (number, self.recipients, digest))
        os.fsync(self.server.journal)

    def reply(self, text):
        self.wfile.write(text.encode() + b"\r\n")


class Server(socketserver.ThreadingTCPServer):
    """A thread for each connection; they share the journal's descriptor."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 256


def main():
    port, file = sys.argv[1:]
    server = Server(("127.0.0.1", int(port)), Session)
    server.journal = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    server.serve_forever()


main()
