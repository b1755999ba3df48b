"""PROXY headers, versions 1 and 2, as clients of evenpost write them and servers read
them; written from the protocol's text, apart from evenpost's own code."""

import dataclasses
import ipaddress
import struct

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
LOCAL, PROXY = 0x20, 0x21
TLV_AUTHORITY, TLV_CRC32C, TLV_NOOP, TLV_UNIQUE_ID, TLV_SSL = 2, 3, 4, 5, 0x20


@dataclasses.dataclass
class ProxyHeader:
    """What a header says; source and destination are (address, port), or None."""

    version: int
    local: bool = False
    source: tuple = None
    destination: tuple = None
    tlvs: dict = dataclasses.field(default_factory=dict)
    length: int = 0


def version_1(source, destination=("192.0.2.100", 25)):
    family = ipaddress.ip_address(source[0]).version
    words = ["PROXY", f"TCP{family}", source[0], destination[0], source[1], destination[1]]
    return " ".join(map(str, words)).encode() + b"\r\n"


def tlv(kind, value):
    return struct.pack("!BH", kind, len(value)) + value


def version_2(source=None, destination=("192.0.2.100", 25), tlvs=b"", command=PROXY):
    """Without a source: LOCAL, no addresses."""
    if source is None:
        return SIGNATURE + struct.pack("!BBH", LOCAL, 0, len(tlvs)) + tlvs
    ends = [ipaddress.ip_address(end[0]).packed for end in (source, destination)]
    family = 0x11 if len(ends[0]) == 4 else 0x21
    body = b"".join(ends) + struct.pack("!HH", source[1], destination[1]) + tlvs
    return SIGNATURE + struct.pack("!BBH", command, family, len(body)) + body


def crc32c(octets):
    """RFC 3720 appendix B.4, bit by bit."""
    crc = 0xFFFFFFFF
    for octet in octets:
        crc ^= octet
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def with_checksum(header):
    """A version 2 header with the TLV that vouches for it, or not if it is changed."""
    length = len(header) - 16 + 7
    whole = header[:14] + struct.pack("!H", length) + header[16:]
    whole += tlv(TLV_CRC32C, b"\0\0\0\0")
    return whole[:-4] + struct.pack("!I", crc32c(whole))


def read_header(octets):
    """The ProxyHeader that the octets begin with; None while it is incomplete."""
    if octets.startswith(SIGNATURE):
        return _read_version_2(octets)
    if b"\r\n" not in octets:
        return None
    line = octets[: octets.index(b"\r\n")].decode("ascii")
    words = line.split(" ")
    assert words[0] == "PROXY" and len(words) == 6, f"no PROXY header: {octets[:120]!r}"
    assert len(line) + 2 <= 107, line
    version = ipaddress.ip_address(words[2]).version
    assert words[1] == f"TCP{version}", line
    return ProxyHeader(
        1,
        source=(words[2], int(words[4])),
        destination=(words[3], int(words[5])),
        length=len(line) + 2,
    )


def _read_version_2(octets):
    if len(octets) < 16:
        return None
    command, family, length = struct.unpack("!BBH", octets[12:16])
    if len(octets) < 16 + length:
        return None
    body = octets[16 : 16 + length]
    header = ProxyHeader(2, local=command == LOCAL, length=16 + length)
    assert command in (LOCAL, PROXY), command
    size = {0: 0, 0x11: 4, 0x21: 16}[family]
    if size:
        ends = [str(ipaddress.ip_address(body[at : at + size])) for at in (0, size)]
        ports = struct.unpack("!HH", body[2 * size : 2 * size + 4])
        header.source, header.destination = zip(ends, ports)
        body = body[2 * size + 4 :]
    while body:
        kind, count = struct.unpack("!BH", body[:3])
        assert len(body) >= 3 + count, "a TLV that runs over"
        header.tlvs[kind] = body[3 : 3 + count]
        body = body[3 + count :]
    return header
