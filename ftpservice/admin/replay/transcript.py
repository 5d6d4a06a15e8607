"""Reads the file that ``ftpservice trace`` writes: the steps of each session."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

__all__ = [
    "MAX_LINE_LENGTH",
    "BadTranscript",
    "ExpectedReply",
    "PlayedCommand",
    "RecordedSession",
    "read_transcript",
]

VERSION = 1
MAX_LINE_LENGTH = 1 << 20
MAX_RECORDS = 1_000_000
TRANSFER_VERBS = ("APPE", "LIST", "MLSD", "NLST", "RETR", "STOR", "STOU")
UPLOAD_VERBS = ("APPE", "STOR", "STOU")


class BadTranscript(Exception):
    """The file is no transcript; ``str`` of it says where and why."""


@dataclass
class PlayedCommand:
    """A command, and what its transcript says of its end."""

    number: int
    """Its number in its session, from 1."""
    line: str
    final_code: int | None = None
    """The code of its final reply; None if it has none."""
    size: int = 0
    """Bytes of its upload."""

    @property
    def verb(self) -> str:
        """The verb in capitals."""
        return self.line.partition(" ")[0].upper()

    @property
    def is_transfer(self) -> bool:
        """Whether it uses a data connection."""
        return self.verb in TRANSFER_VERBS

    @property
    def is_upload(self) -> bool:
        """Whether the client sends the data."""
        return self.verb in UPLOAD_VERBS


@dataclass
class ExpectedReply:
    """A reply, and the command that it belongs to; None for the greeting."""

    code: int
    lines: list[str]
    command: PlayedCommand | None


@dataclass
class RecordedSession:
    """The steps of one session, in order."""

    number: int
    node: str = ""
    """Its node, if the trace is of the nodes of a cluster: each counts its own sessions."""
    setup: list[str] | None = None
    """Commands to send first, if the trace began in the session; else None."""
    begins_logged_in: bool = False
    """Whether a login precedes them."""
    begins_secured: bool = False
    """Whether TLS precedes them."""
    steps: list[PlayedCommand | ExpectedReply] = field(default_factory=list)
    _open: deque[PlayedCommand] = field(default_factory=deque)
    """Commands without a final reply."""
    _is_greeted: bool = False
    _commands: int = 0

    @property
    def key(self) -> int | str:
        """Its number; ``node:number`` if it has a node, as in ``ftpservice who``."""
        return f"{self.node}:{self.number}" if self.node else self.number

    @property
    def upload_size(self) -> int:
        """Bytes of all its uploads."""
        return sum(one.size for one in self.steps if isinstance(one, PlayedCommand))

    def add(self, record: dict[str, Any]) -> None:
        """Add what a record says."""
        if "joined" in record:
            self.setup, self._is_greeted = [_line(line) for line in record["joined"]], True
            self.begins_logged_in, self.begins_secured = record["login"], record["tls"]
        elif "command" in record:
            self._commands += 1
            command = PlayedCommand(self._commands, _line(record["command"]))
            self._open.append(command)
            self.steps.append(command)
        elif "reply" in record:
            self._add_reply(int(record["reply"]), [str(line) for line in record["lines"]])
        elif "transfer" in record:
            transfers = (one for one in self._open if one.is_transfer)
            command_of = next(transfers, None)
            if command_of is not None:
                command_of.size = _size(record["size"])

    def _add_reply(self, code: int, lines: list[str]) -> None:
        if not self._is_greeted:
            self._is_greeted = code >= 200
            self.steps.append(ExpectedReply(code, lines, None))
        elif self._open:  # any other was sent by the service on its own account: a timeout, a stop
            command = self._open[0]
            self.steps.append(ExpectedReply(code, lines, command))
            if code >= 200:
                command.final_code = code
                self._open.popleft()


def read_transcript(lines: Iterable[str]) -> list[RecordedSession]:
    """Return the sessions of a transcript in the order of their begin; raises `BadTranscript`."""
    sessions: dict[tuple[str, int], RecordedSession] = {}
    number = 0
    for number, line in enumerate(lines, 1):
        if number > MAX_RECORDS:
            raise BadTranscript(f"it has more than {MAX_RECORDS} lines; play a part of it")
        if len(line) > MAX_LINE_LENGTH:
            raise BadTranscript(f"line {number} is longer than {MAX_LINE_LENGTH} characters")
        try:
            record = json.loads(line)
            if number == 1:
                _check_version(record.get("trace"))
                continue
            node, session = str(record.get("node", "")), int(record["session"])
            found = sessions.setdefault((node, session), RecordedSession(session, node))
            found.add(record)
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
            raise BadTranscript(f"line {number} is no record of a trace") from None
    if not number:
        raise BadTranscript("it is empty")
    return list(sessions.values())


def _line(command: object) -> str:
    """Return a command, which is one line: no transcript has a command within a command."""
    text = str(command)
    text.encode("utf-8", "surrogateescape")  # raises a `ValueError` for what no client has sent
    if "\r" in text or "\n" in text:
        raise ValueError
    return text


def _size(size: Any) -> int:
    number = int(size)
    if number < 0:
        raise ValueError
    return number


def _check_version(version: object) -> None:
    if version is None:
        raise ValueError
    if version != VERSION:
        raise BadTranscript(f"its form is {version!r}; this program reads {VERSION}")
