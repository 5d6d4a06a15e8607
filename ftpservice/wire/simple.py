"""The lines of the simple protocol (docs/simple-protocol.md), of both sides."""

from __future__ import annotations

import re
from enum import Enum
from typing import NamedTuple

from ftpservice.wire.entry import Entry, Kind
from ftpservice.wire.times import CalendarTexts, minute_digits, parse_time

__all__ = [
    "GO",
    "GREETING",
    "MAX_IMMEDIATE_UPLOAD_SIZE",
    "MAX_LINE_SIZE",
    "DownloadArgument",
    "ErrorCode",
    "MalformedAnswer",
    "MalformedCommand",
    "SimpleAnswer",
    "SimpleListFormatter",
    "UploadArgument",
    "answer",
    "argument_of",
    "bytes_following",
    "error",
    "parse_answer",
    "parse_download",
    "parse_line",
    "parse_listing_line",
    "parse_upload",
]

GREETING = "ftpservice simple/1"
GO = b"GO\n"
MAX_LINE_SIZE = 8192
"""Bytes, its end included."""
MAX_IMMEDIATE_UPLOAD_SIZE = 16 * 1024 * 1024
"""Bytes of an upload that does not wait for GO."""

CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
UNLISTED = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
SIZE = re.compile("[0-9]{1,18}", re.ASCII)
TIME = re.compile("[0-9]{14}", re.ASCII)
IMMEDIATE_UPLOAD_LINE = re.compile(rb"(?i:UPLD) (?:([0-9]{1,18})|[^ ]*)\+(?: |$)")
TYPES = {Kind.FILE: "file", Kind.DIRECTORY: "dir", Kind.LINK: "link"}
KINDS = {name: kind for kind, name in TYPES.items()}


class ErrorCode(Enum):
    """Why something was not done."""

    SYNTAX = "SYNTAX"
    """A malformed line or an unknown verb."""
    AUTH = "AUTH"
    """Not logged in, or the login failed."""
    NOTFOUND = "NOTFOUND"
    DENIED = "DENIED"
    """Not permitted."""
    ISDIR = "ISDIR"
    NOTDIR = "NOTDIR"
    EXISTS = "EXISTS"
    QUOTA = "QUOTA"
    """Over the quota, or larger than allowed."""
    FULL = "FULL"
    """No space."""
    BUSY = "BUSY"
    """Too many sessions."""
    TIMEOUT = "TIMEOUT"
    """Idle too long."""
    INTERNAL = "INTERNAL"
    """Anything else."""


class MalformedCommand(ValueError):
    """A client's line that means nothing; ``str`` of it says why."""


class MalformedAnswer(ValueError):
    """A server's line that means nothing."""


class UploadArgument(NamedTuple):
    """The argument of UPLD."""

    size: int
    """Bytes to come."""
    at_once: bool
    """Whether the bytes follow the line directly, without waiting for GO."""
    name: str


class DownloadArgument(NamedTuple):
    """The argument of DWLD."""

    offset: int
    """Where in the file to begin, in bytes."""
    name: str


class SimpleAnswer(NamedTuple):
    """The first line of what a server answers."""

    word: str
    """``OK``, ``GO`` or ``ERR``."""
    text: str
    """The text that follows it, and follows the code."""
    code: ErrorCode | None = None
    """Of ``ERR``; INTERNAL for one that is not known."""


def parse_line(line: bytes) -> tuple[str, str]:
    """Read a client's line without its end: the verb in capitals, the argument as it is.

    Raises `MalformedCommand`.
    """
    try:
        verb, _space, argument = line.decode("utf-8").partition(" ")
    except UnicodeDecodeError:
        raise MalformedCommand("a line is UTF-8") from None
    if CONTROL.search(argument):
        raise MalformedCommand("a name holds no control characters")
    return verb.upper(), argument


def parse_upload(argument: str) -> UploadArgument:
    """Read the argument of UPLD; raises `MalformedCommand`."""
    count, _space, name = argument.partition(" ")
    digits = count.removesuffix("+")
    if not SIZE.fullmatch(digits) or not name:
        raise MalformedCommand("UPLD <size> <name>")
    return UploadArgument(int(digits), count != digits, name)


def bytes_following(line: bytes) -> int | None:
    """Return how many raw bytes follow a line that may be malformed; None if that is not known."""
    match = IMMEDIATE_UPLOAD_LINE.match(line)
    if match is None:
        return 0
    return int(match[1]) if match[1] else None


def parse_download(argument: str) -> DownloadArgument:
    """Read the argument of DWLD; raises `MalformedCommand`."""
    if not argument.startswith("@"):
        if not argument:
            raise MalformedCommand("DWLD [@<offset>] <name>")
        return DownloadArgument(0, argument)
    digits, _space, name = argument[1:].partition(" ")
    if not SIZE.fullmatch(digits) or not name:
        raise MalformedCommand("DWLD [@<offset>] <name>; write ./@ where a name begins with @")
    return DownloadArgument(int(digits), name)


def argument_of(name: str) -> str:
    """Return a name as the last argument of a line.

    Raises `MalformedCommand` for one no line can hold.
    """
    if not name or CONTROL.search(name):
        raise MalformedCommand("a name is not empty and holds no control characters")
    return f"./{name}" if name.startswith("@") else name


def answer(text: str) -> bytes:
    """Return the line of a success; control characters in it are escaped."""
    if not text.isprintable():
        text = CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", text)
    return b"OK %s\n" % text.encode("utf-8", "backslashreplace")


def error(code: ErrorCode, text: str) -> bytes:
    """Return the line of a refusal; ``text`` is for users."""
    words = " ".join(CONTROL.sub(" ", text).split())
    return f"ERR {code.value} {words}\n".encode("utf-8", "backslashreplace")


def parse_answer(line: bytes) -> SimpleAnswer:
    """Read a server's line without its end; raises `MalformedAnswer`."""
    word, _space, text = line.decode("utf-8", "replace").removesuffix("\r").partition(" ")
    if word in ("OK", "GO"):
        return SimpleAnswer(word, text)
    if word != "ERR":
        raise MalformedAnswer(f"neither OK nor GO nor ERR: {word[:40]!r}")
    name, _space, text = text.partition(" ")
    known = name in ErrorCode.__members__
    return SimpleAnswer(
        word, text if known else f"{name} {text}", ErrorCode(name) if known else ErrorCode.INTERNAL
    )


class SimpleListFormatter:
    """Writes the lines of listings: ``<type> <size> <mtime> <name>``."""

    def __init__(self) -> None:
        self._minutes = CalendarTexts(minute_digits)

    def line(self, entry: Entry) -> str | None:
        """Return the line of an entry; None for one that has none.

        Those are devices, FIFOs and sockets, and names that no line can hold.
        """
        kind = TYPES.get(entry.kind)
        if kind is None or UNLISTED.search(entry.name):
            return None
        minute, second = divmod(int(entry.modified // 1), 60)
        return f"{kind} {entry.size} {self._minutes[minute]}{second:02} {entry.name}\n"


def parse_listing_line(line: bytes) -> Entry:
    """Read a line of a listing without its end; raises `MalformedAnswer`.

    The name is whatever the server sent.
    """
    words = line.decode("utf-8", "surrogateescape").removesuffix("\r").split(" ", 3)
    if len(words) != 4 or words[0] not in KINDS or not words[3]:
        raise MalformedAnswer("not a line of a listing")
    kind, size, modified, name = words
    if not SIZE.fullmatch(size) or not TIME.fullmatch(modified):
        raise MalformedAnswer("not a line of a listing")
    try:
        return Entry(name, KINDS[kind], int(size), parse_time(modified))
    except ValueError as problem:
        raise MalformedAnswer(str(problem)) from None
