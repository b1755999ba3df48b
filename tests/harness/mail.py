"""Messages as the tests send them and as servers stored them."""

import pathlib
import re


class StoredMessage:
    """One message as a server delivered it, with LF line endings."""

    def __init__(self, content):
        self.content = content.replace(b"\r\n", b"\n")
        self.headers, _, self.body = self.content.partition(b"\n\n")

    def header(self, name):
        """The first header field of that name, unfolded; None without one."""
        pattern = rb"^%s:[ \t]*(.*(?:\n[ \t].*)*)" % re.escape(name.encode())
        match = re.search(pattern, self.headers, re.MULTILINE | re.IGNORECASE)
        if match is None:
            return None
        return re.sub(r"\n[ \t]+", " ", match.group(1).decode("utf-8", "replace"))


class Maildir:
    """A maildir that a server delivers into; each file is read once."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self._read = {}

    def messages(self):
        """Everything delivered so far, in no particular order."""
        new = self.directory / "new"
        if new.is_dir():
            for path in new.iterdir():
                if path.name not in self._read:
                    self._read[path.name] = StoredMessage(path.read_bytes())
        return list(self._read.values())

    def numbered(self, number):
        """The messages that carry this X-Number."""
        return [m for m in self.messages() if m.header("X-Number") == str(number)]


def make_message(number, body, sender="ann@a.example", to="bob@b.example"):
    """A message with CRLF line endings, found again by its X-Number."""
    head = (
        f"From: {sender}\r\n"
        f"To: {to}\r\n"
        f"Subject: message {number}\r\n"
        f"Message-ID: <{number}@a.example>\r\n"
        "Date: Mon, 23 Nov 2026 18:00:00 +0000\r\n"
        "MIME-Version: 1.0\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n"
        "Content-Transfer-Encoding: 8bit\r\n"
        f"X-Number: {number}\r\n"
        "\r\n"
    )
    return head.encode() + body


def body_of(message):
    """The body of a message with CRLF line endings, as servers store it."""
    return message.partition(b"\r\n\r\n")[2].replace(b"\r\n", b"\n")


def dot_stuffed(message):
    """The message as it follows DATA, end of data included."""
    stuffed = re.sub(rb"(^|\r\n)\.", rb"\1..", message)
    if not stuffed.endswith(b"\r\n"):
        stuffed += b"\r\n"
    return stuffed + b".\r\n"
