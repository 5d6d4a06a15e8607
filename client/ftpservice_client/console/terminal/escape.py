"""Escaping of untrusted text: no control character reaches the terminal."""

from __future__ import annotations

import codecs

__all__ = ["ContentFilter", "escape_unprintable"]

KEPT_CHARACTERS = frozenset("\n\t")


def escape_unprintable(text: str) -> str:
    r"""Return ``text`` on one line, with escapes such as ``\x1b`` or ``\u202e``."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escape(char) for char in text)


def _escape(char: str) -> str:
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # surrogateescape: a byte that was not UTF-8
        code -= 0xDC00
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


class ContentFilter:
    """Decodes the bytes of a file chunk by chunk to text that a terminal can show."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")

    def feed(self, data: bytes, last: bool = False) -> str:
        """Return the text of ``data``; control characters but line ends and tabs are escaped.

        With ``last``, an incomplete UTF-8 sequence at the end is escaped too.
        """
        text = self._decoder.decode(data, last).replace("\r\n", "\n")
        return "".join(
            char if char in KEPT_CHARACTERS or char.isprintable() else _escape(char)
            for char in text
        )
