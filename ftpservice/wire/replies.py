"""Replies of the control connection (RFC 959 §4.2)."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Reply", "reply"]


@dataclass(frozen=True, slots=True)
class Reply:
    """A code and one or more lines of text, none holding a line end."""

    code: int
    lines: tuple[str, ...]

    def to_bytes(self) -> bytes:
        """Return the reply as sent.

        A middle line that begins with a space goes out as it is (RFC 2389 §3.2, RFC 3659 §7.2);
        every other is marked ``code-``, so that no text is ever taken for the end.
        """
        *middle, last = self.lines
        text = "".join(
            f"{line}\r\n" if line.startswith(" ") else f"{self.code}-{line}\r\n" for line in middle
        )
        return f"{text}{self.code} {last}\r\n".encode("utf-8", "surrogateescape")


def reply(code: int, *lines: str) -> Reply:
    """Make a `Reply`; a stray CR or LF inside a line becomes a space."""
    return Reply(code, tuple(line.replace("\r", " ").replace("\n", " ") for line in lines))
