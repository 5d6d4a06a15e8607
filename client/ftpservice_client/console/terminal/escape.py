"""Makes text from elsewhere fit for a terminal: nothing in it moves cursors or sets colours."""

from __future__ import annotations

import codecs

__all__ = ["ContentFilter", "escape_unprintable"]

KEPT_CHARACTERS = frozenset("\n\t")


def escape_unprintable(text: str) -> str:
    r"""Return ``text`` on one line, what does not print written as ``\x1b`` or ``\u202e``."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escape(char) for char in text)


def _escape(char: str) -> str:
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that was not UTF-8
        code -= 0xDC00
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


class ContentFilter:
    """Turns the bytes of a file, piece by piece, into text that a terminal may be given."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")

    def feed(self, data: bytes, last: bool = False) -> str:
        """Return what ``data`` adds; line ends and tabs stay, all else that does not print shows.

        With ``last``, half a character that is left over is shown too.
        """
        text = self._decoder.decode(data, last).replace("\r\n", "\n")
        return "".join(
            char if char in KEPT_CHARACTERS or char.isprintable() else _escape(char)
            for char in text
        )
