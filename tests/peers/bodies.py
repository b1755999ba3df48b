"""Bodies that mail software has been known to change, with CRLF line endings."""

import random

# 998 octets and CRLF: the longest line of RFC 5322 2.1.1.
_LONGEST = b"".join(b"%09d|" % n for n in range(100))[:998] + b"\r\n"

_EVERY_OCTET = bytes(octet for octet in range(1, 256) if octet not in b"\r\n")


def _many_lines():
    """A quarter of a megabyte, never the same as itself shifted."""
    source = random.Random(1)
    return b"".join(b"%016x\r\n" % source.getrandbits(64) for _ in range(14000))


BODIES = {
    "short": b"Hello.\r\n",
    "empty": b"",
    "blank-lines": b"\r\n\r\n\r\nthe end\r\n\r\n\r\n",
    "leading-dots": b".\r\n..\r\n...\r\n.a\r\n..a\r\n. \r\na.\r\n.\r\n",
    "longest-lines": _LONGEST * 3 + b"." + _LONGEST[1:],
    "8-bit": _EVERY_OCTET + b"\r\n" + "grüße, привет, 你好\r\n".encode(),
    "trailing-blanks": b"a \r\nb\t\r\n  \r\n\t\r\n",
    "looks-like-smtp": b"QUIT\r\nRSET\r\nMAIL FROM:<x@y.example>\r\n354 go\r\n",
    "many-lines": _many_lines(),
}
