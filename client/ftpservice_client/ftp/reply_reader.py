"""Replies out of whatever pieces arrive (RFC 959 §4.2), from servers that may be hostile."""

from __future__ import annotations

import re

from ftpservice.wire.lines import LineReader, OverlongLine
from ftpservice.wire.replies import Reply, escaped
from ftpservice_client.errors import ProtocolViolation

__all__ = ["ReplyReader"]

MAX_LINE_SIZE = 8192
MAX_REPLY_SIZE = 1024 * 1024
"""Bytes of one reply, and of those that were not asked for."""
FIRST_LINE = re.compile(r"([1-5][0-9]{2})(?:([- ])(.*))?", re.DOTALL)


class ReplyReader:
    """Cuts a stream into replies; holds no more than `MAX_REPLY_SIZE` bytes."""

    def __init__(self) -> None:
        self._lines = LineReader(MAX_LINE_SIZE)
        self._code = ""
        self._texts: list[str] = []
        self._size = 0

    @property
    def pending(self) -> bool:
        """Whether a part of a reply has arrived."""
        return bool(self._code) or self._lines.pending

    def feed(self, data: bytes) -> list[Reply]:
        """Return the replies that ``data`` completes; raises `ProtocolViolation`."""
        replies = []
        for line in self._lines.feed(data):
            if isinstance(line, OverlongLine):
                raise ProtocolViolation("the server sent a line that has no end")
            reply = self._take(line.decode("utf-8", "surrogateescape"))
            if reply is not None:
                replies.append(reply)
        return replies

    def _take(self, line: str) -> Reply | None:
        return self._next(line) if self._code else self._first(line)

    def _first(self, line: str) -> Reply | None:
        match = FIRST_LINE.fullmatch(line)
        if match is None:
            raise ProtocolViolation(f"the server sent what is no reply: {escaped(line[:60])}")
        text = match[3] or ""
        if match[2] != "-":
            return Reply(int(match[1]), (text,))
        self._code, self._texts, self._size = match[1], [text], len(text)
        return None

    def _next(self, line: str) -> Reply | None:
        self._size += len(line) + 1
        if self._size > MAX_REPLY_SIZE:
            raise ProtocolViolation("the server sent a reply that has no end")
        code = self._code
        if line == code or line.startswith(f"{code} "):
            self._code = ""
            return Reply(int(code), (*self._texts, line[4:]))
        self._texts.append(line.removeprefix(f"{code}-"))
        return None
