"""Reads replies from a stream of bytes (RFC 959 §4.2); the server may be hostile."""

from __future__ import annotations

import re

from ftpservice.wire.lines import LineReader, OverlongLine
from ftpservice.wire.replies import Reply, escaped
from ftpservice_client.errors import ProtocolViolation

__all__ = ["ReplyReader"]

MAX_LINE_BYTES = 8192
MAX_REPLY_CHARACTERS = 1024 * 1024
FIRST_LINE = re.compile(r"([1-5][0-9]{2})(?:([- ])(.*))?", re.DOTALL)


class ReplyReader:
    """Splits a stream into replies; the memory that one may take is bounded."""

    def __init__(self) -> None:
        self._lines = LineReader(MAX_LINE_BYTES)
        self._code = ""
        """The code of a multi-line reply that is not complete."""
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
                raise ProtocolViolation("the server sent a line that is too long")
            text = line.decode("utf-8", "surrogateescape")
            if self._code:
                reply = self._continued(text)
                if reply is not None:
                    replies.append(reply)
                continue
            match = FIRST_LINE.fullmatch(text)
            if match is None:
                raise ProtocolViolation(f"the server sent an invalid reply: {escaped(text[:60])}")
            code, mark, rest = match.groups("")
            if mark == "-":
                self._code, self._texts, self._size = code, [rest], len(rest)
            else:
                replies.append(Reply(int(code), (rest,)))
        return replies

    def _continued(self, line: str) -> Reply | None:
        """Add a line to a multi-line reply; return the reply if that was its last line."""
        self._size += len(line) + 1
        if self._size > MAX_REPLY_CHARACTERS:
            raise ProtocolViolation("the server sent a reply that is too long")
        code = self._code
        if line == code or line.startswith(f"{code} "):
            self._code = ""
            return Reply(int(code), (*self._texts, line[4:]))
        self._texts.append(line.removeprefix(f"{code}-"))
        return None
