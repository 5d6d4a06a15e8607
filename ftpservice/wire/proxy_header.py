"""The PROXY protocol's header, as much as must be known before it can be trusted to a parser.

Of version 1 everything is checked here, since an address in it is taken for the client's; of
version 2 only that its fixed part is there, for the rest says how long it is itself.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address

__all__ = ["BadHeader", "missing", "whole_header"]

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
FIXED_PART = 16
"""Bytes of version 2 that are always there."""
BEGINNING = b"PROXY "
SHORTEST_LINE = len(b"PROXY UNKNOWN\r\n")
LONGEST_LINE = 107
"""Of version 1, its CRLF included."""
LINE = re.compile(rb"PROXY (TCP4|TCP6) ([0-9a-fA-F.:]+) ([0-9a-fA-F.:]+) ([0-9]{1,5}) ([0-9]{1,5})")
UNKNOWN = re.compile(rb"PROXY UNKNOWN( .*)?")
NOBODY = b"PROXY UNKNOWN :: :: 0 0"
"""What is after UNKNOWN is to be ignored, and may be missing; this stands for all of it."""


class BadHeader(ValueError):
    """What came is no header, and nothing that follows can make it one."""


def whole_header(early: bytes) -> bytes | None:
    """Return all that came once a header can be read off it, ``None`` while more must come.

    Raises `BadHeader`.
    """
    if _begins(early, SIGNATURE):
        return early if len(early) >= FIXED_PART else None
    if not _begins(early, BEGINNING):
        raise BadHeader("neither version of the protocol")
    line, end, rest = early.partition(b"\r\n")
    if len(line) + 2 > LONGEST_LINE:
        raise BadHeader("the line is too long")
    return _checked(line) + end + rest if end else None


def missing(early: bytes) -> int:
    """Return how many bytes the header goes on for at least, behind ``early``; 0 if it is whole.

    Who reads no more than that at a time takes nothing that stands behind the header.
    """
    if len(early) < SHORTEST_LINE:
        return SHORTEST_LINE - len(early)
    if _begins(early, SIGNATURE):
        length = int.from_bytes(early[14:FIXED_PART]) if len(early) >= FIXED_PART else 0
        return max(0, FIXED_PART + length - len(early))
    return 0 if early.endswith(b"\r\n") else 1


def _begins(early: bytes, with_what: bytes) -> bool:
    length = min(len(early), len(with_what))
    return early[:length] == with_what[:length]


def _checked(line: bytes) -> bytes:
    if UNKNOWN.fullmatch(line):
        return NOBODY
    match = LINE.fullmatch(line)
    if match is None or max(int(match[4]), int(match[5])) > 65535:
        raise BadHeader("not a protocol, two addresses and two ports")
    version = IPv4Address if match[1] == b"TCP4" else IPv6Address
    try:
        for text in (match[2], match[3]):
            version(text.decode("ascii"))
    except ValueError as error:
        raise BadHeader(str(error)) from None
    return line
