"""Replies of the control connection (RFC 959 §4.2)."""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["Reply", "escaped", "reply", "verbatim_reply"]

LINE_END = re.compile("[\r\n]")
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


class Reply(NamedTuple):
    """A code and one or more lines of text, none holding a line end; a tuple, as they are many."""

    code: int
    lines: tuple[str, ...]

    def to_bytes(self) -> bytes:
        """Return the reply as sent.

        A middle line that begins with a space goes out as it is (RFC 2389 §3.2, RFC 3659 §7.2);
        every other is marked ``code-``, so that no text is ever taken for the end.
        """
        code, (*middle, last) = self
        text = f"{code} {last}\r\n"
        if middle:
            first = (
                f"{line}\r\n" if line.startswith(" ") else f"{code}-{line}\r\n" for line in middle
            )
            text = "".join(first) + text
        return text.encode("utf-8", "surrogateescape")


def reply(code: int, *lines: str) -> Reply:
    """Make a `Reply`; control characters inside a line are escaped.

    A stray CR or LF becomes a space.
    """
    for line in lines:
        if not line.isprintable():
            lines = tuple(escaped(line) for line in lines)
            break
    return tuple.__new__(Reply, (code, lines))  # one call less for each reply


def verbatim_reply(code: int, *lines: str) -> Reply:
    """Make a `Reply` from which programs take a path, which is sent unchanged.

    Paths hold no CR and no LF (`VirtualPath`).
    """
    return Reply(code, tuple(LINE_END.sub(" ", line) for line in lines))


def escaped(text: str) -> str:
    """Return a text without control characters; what is not UTF-8 stays as it came."""
    return CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", LINE_END.sub(" ", text))
