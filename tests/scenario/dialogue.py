"""Reads .smtp files: dialogues of a client, evenpost and servers. See README.md."""

import dataclasses
import json
import re

_STEP = re.compile(r"^(?:([CSBb])([:|]) ?(.*)|(@)(.+))$")
_SETTING = re.compile(r"^([a-z][a-z0-9.-]+): *(.*)$")
_TITLE = re.compile(r"^== (.+)$")
_REPEATED = re.compile(r"\{(.+?)\*(\d+)\}")
_ESCAPED = re.compile(rb"\\(x[0-9a-fA-F]{2}|.)")
_ESCAPES = {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"0": b"\0", b"\\": b"\\"}


@dataclasses.dataclass
class Step:
    """One line: what someone says, hears or does."""

    number: int  # of the line in the file
    who: str  # C, S, B, b, or @ for a direction
    text: str
    octets: bytes = b""  # of what is said or heard
    open_ended: bool = False  # more may follow on the same line


@dataclasses.dataclass
class Dialogue:
    """One behaviour: settings, and the steps of client and servers."""

    title: str
    settings: dict
    steps: list


def to_octets(text):
    """The octets that a text of a dialogue stands for."""

    def replace(match):
        escape = match.group(1)
        if escape.startswith(b"x"):
            return bytes([int(escape[1:], 16)])
        return _ESCAPES[escape]

    repeated = _REPEATED.sub(lambda m: m.group(1) * int(m.group(2)), text)
    return _ESCAPED.sub(replace, repeated.encode())


def _read_value(text):
    try:
        return json.loads(text)
    except ValueError:
        return text


def _read_step(number, match):
    who, form, text, direction, action = match.groups()
    if direction:
        return Step(number, "@", action.strip())
    open_ended = who in "SB" and text.endswith("...")
    octets = to_octets(text[:-3] if open_ended else text)
    if form == ":" and not open_ended:
        octets += b"\r\n"
    return Step(number, who, text, octets, open_ended)


def read_dialogues(path):
    """All dialogues of a file."""
    common, dialogues = {}, []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if match := _TITLE.match(line):
            dialogues.append(Dialogue(match.group(1), dict(common), []))
        elif match := _STEP.match(line):
            dialogues[-1].steps.append(_read_step(number, match))
        elif match := _SETTING.match(line):
            settings = dialogues[-1].settings if dialogues else common
            settings[match.group(1)] = _read_value(match.group(2))
        else:
            raise ValueError(f"{path}:{number}: not understood: {line!r}")
    assert "shows" in common, f"{path}: does not say what it shows"
    return dialogues
