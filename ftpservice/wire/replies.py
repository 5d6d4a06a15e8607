"""Replies of the control connection (RFC 959 §4.2)."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Reply", "reply"]


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
    """Make a `Reply`; a stray CR or LF inside a line becomes a space."""
    for line in lines:
        if "\r" in line or "\n" in line:
            lines = tuple(line.replace("\r", " ").replace("\n", " ") for line in lines)
            break
    return Reply(code, lines)
