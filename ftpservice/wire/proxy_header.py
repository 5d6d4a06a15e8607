"""The PROXY protocol's header, as much as must be known before it can be trusted to a parser.

Of version 1 everything is checked here, since an address in it is taken for the client's; of
version 2 only that its fixed part is there, for the rest says how long it is itself.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address

from ftpservice.wire.addresses import canonical_host

__all__ = [
    "MAX_HEADER_SIZE",
    "BadProxyHeader",
    "bytes_missing",
    "client_host",
    "complete_header",
    "header_size",
]

V2_SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
V2_FIXED_HEADER_SIZE = 16
"""Bytes of version 2 that are always there."""
MAX_HEADER_SIZE = 4096
"""Of version 2, with all that a balancer adds about TLS; 536 bytes are usual."""
V2_PROXY = 0x21
"""Version and command of a connection that is passed on; the other command is for health checks."""
V2_ADDRESSES: dict[int, tuple[type[IPv4Address | IPv6Address], int]] = {
    0x11: (IPv4Address, 4),
    0x21: (IPv6Address, 16),
}
"""Kind and size of an address, by the byte for family and protocol: TCP only."""
V1_PREFIX = b"PROXY "
V1_MIN_LINE_SIZE = len(b"PROXY UNKNOWN\r\n")
V1_MAX_LINE_SIZE = 107
"""Of version 1, its CRLF included."""
V1_LINE = re.compile(
    rb"PROXY (TCP4|TCP6) ([0-9a-fA-F.:]+) ([0-9a-fA-F.:]+) ([0-9]{1,5}) ([0-9]{1,5})"
)
V1_UNKNOWN_LINE = re.compile(rb"PROXY UNKNOWN( .*)?")
V1_UNKNOWN_PEER = b"PROXY UNKNOWN :: :: 0 0"
"""What is after UNKNOWN is to be ignored, and may be missing; this stands for all of it."""


class BadProxyHeader(ValueError):
    """What came is no header, and nothing that follows can make it one."""


def complete_header(early: bytes) -> bytes | None:
    """Return all that came once a header can be read off it, ``None`` while more must come.

    Raises `BadProxyHeader`.
    """
    if _begins(early, V2_SIGNATURE):
        return early if len(early) >= V2_FIXED_HEADER_SIZE else None
    if not _begins(early, V1_PREFIX):
        raise BadProxyHeader("neither version of the protocol")
    line, end, rest = early.partition(b"\r\n")
    if len(line) + 2 > V1_MAX_LINE_SIZE:
        raise BadProxyHeader("the line is too long")
    return _checked(line) + end + rest if end else None


def bytes_missing(early: bytes) -> int:
    """Return how many more bytes the header has at least, after ``early``; 0 if it is complete.

    A reader that reads no more than that at a time takes nothing that follows the header.
    """
    if len(early) < V1_MIN_LINE_SIZE:
        return V1_MIN_LINE_SIZE - len(early)
    if _begins(early, V2_SIGNATURE):
        length = (
            int.from_bytes(early[14:V2_FIXED_HEADER_SIZE])
            if len(early) >= V2_FIXED_HEADER_SIZE
            else 0
        )
        return max(0, V2_FIXED_HEADER_SIZE + length - len(early))
    return 0 if early.endswith(b"\r\n") else 1


def _begins(early: bytes, with_what: bytes) -> bool:
    length = min(len(early), len(with_what))
    return early[:length] == with_what[:length]


def _checked(line: bytes) -> bytes:
    if V1_UNKNOWN_LINE.fullmatch(line):
        return V1_UNKNOWN_PEER
    match = V1_LINE.fullmatch(line)
    if match is None or max(int(match[4]), int(match[5])) > 65535:
        raise BadProxyHeader("not a protocol, two addresses and two ports")
    version = IPv4Address if match[1] == b"TCP4" else IPv6Address
    try:
        for text in (match[2], match[3]):
            version(text.decode("ascii"))
    except ValueError as error:
        raise BadProxyHeader(str(error)) from None
    return line


def header_size(early: bytes) -> int | None:
    """Return the size of the header that ``early`` begins with; None while more must come.

    Raises `BadProxyHeader`, also for one that is larger than `MAX_HEADER_SIZE`.
    """
    if complete_header(early) is None:
        return None
    if early.startswith(V2_SIGNATURE):
        size = V2_FIXED_HEADER_SIZE + int.from_bytes(early[14:V2_FIXED_HEADER_SIZE])
        if size > MAX_HEADER_SIZE:
            raise BadProxyHeader(f"{size} bytes are too many")
        return size if len(early) >= size else None
    return early.index(b"\r\n") + 2


def client_host(header: bytes) -> str:
    """Return the address of the client in a complete header; empty if it names none.

    It is canonical: a balancer names a client of IPv4 by an address of IPv6 where it listens on
    both.
    """
    if not header.startswith(V2_SIGNATURE):
        kind, _, rest = header.removeprefix(V1_PREFIX).partition(b" ")
        text = "" if kind.startswith(b"UNKNOWN") else rest.split(b" ")[0].decode("ascii")
        return canonical_host(text) if text else ""
    family, size = V2_ADDRESSES.get(header[13], (IPv4Address, 0))
    address = header[V2_FIXED_HEADER_SIZE : V2_FIXED_HEADER_SIZE + size]
    has_client = header[12] == V2_PROXY and size and len(address) == size
    return canonical_host(str(family(address))) if has_client else ""
