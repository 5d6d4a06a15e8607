"""The head of an answer of HTTP/1.1 (RFC 9112), of a server that is trusted with the files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

__all__ = ["MAX_HEAD_BYTES", "AnswerHead", "split_answer"]

MAX_HEAD_BYTES = 64 << 10
END = b"\r\n\r\n"


class AnswerHead(NamedTuple):
    """Status and headers; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]

    @property
    def body_size(self) -> int | None:
        """The size of the body; None if it is not told, or is told twice."""
        if self.status in (204, 304):
            return 0
        size = self.headers.get("content-length", "")
        is_told = size.isdecimal() and "transfer-encoding" not in self.headers
        return int(size) if is_told else None

    @property
    def keeps_connection(self) -> bool:
        """Whether the connection can be used again."""
        return "close" not in self.headers.get("connection", "").lower()


def split_answer(data: bytes) -> tuple[AnswerHead, bytes] | None:
    """Return the head and what came of the body; None as long as the head is not complete.

    Raises `ValueError`.
    """
    end = data.find(END)
    if end < 0:
        if len(data) > MAX_HEAD_BYTES:
            raise ValueError("the head of an answer is too long")
        return None
    first, *lines = data[:end].decode("latin-1").split("\r\n")
    version, _, rest = first.partition(" ")
    status = rest[:3]
    if version != "HTTP/1.1" or not (status.isdecimal() and len(status) == 3):
        raise ValueError(f"not an answer: {first[:80]!r}")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        name = name.lower()
        if not colon or not name or name != name.strip() or name in headers:
            raise ValueError(f"not a header, or one that is there twice: {line[:80]!r}")
        headers[name] = value.strip()
    return AnswerHead(int(status), headers), data[end + len(END) :]
