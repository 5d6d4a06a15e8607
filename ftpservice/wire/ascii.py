"""Line ends of ASCII transfers (RFC 959 §3.1.1.1): CRLF on the wire, LF in our files.

A file that has CRLF already is sent as it is: CR CR LF ends a line on no system. So a CRLF is one
line end in both directions, and a CR that stands alone stays one.
"""

from __future__ import annotations

__all__ = ["AddedCRCounter", "CRLFToLF", "LFToCRLF"]

LF = b"\n"
CR = b"\r"
CRLF = b"\r\n"


class LFToCRLF:
    """Converts every LF without a CR before it to CRLF, however the stream is split."""

    def __init__(self) -> None:
        self._after_cr = False

    def translate(self, data: bytes) -> bytes:
        """Return the text as it is sent."""
        before = LF if self._after_cr and data.startswith(LF) else b""
        if before:
            data = data[1:]
        if data:
            self._after_cr = data.endswith(CR)
        elif before:
            self._after_cr = False
        if CR in data:
            data = data.replace(CRLF, LF)
        return before + data.replace(LF, CRLF)

    def finish(self) -> bytes:
        """Nothing is held back."""
        return b""


class AddedCRCounter:
    """Counts the bytes that `LFToCRLF` adds to a stream that comes in pieces."""

    def __init__(self) -> None:
        self.added = 0
        self._after_cr = False

    def count(self, data: bytes) -> None:
        """Look at a piece."""
        self.added += data.count(LF)
        if CR in data:
            self.added -= data.count(CRLF)
        if data:
            self.added -= self._after_cr and data.startswith(LF)
            self._after_cr = data.endswith(CR)


class CRLFToLF:
    """Converts every CRLF to LF, however the stream is split; a lone CR stays."""

    def __init__(self) -> None:
        self._held = b""

    def translate(self, data: bytes) -> bytes:
        """Return the text that is certain; a CR at the end waits for what follows it."""
        if self._held and data:
            data = self._held + data
            self._held = b""
        if data.endswith(CR):
            self._held = CR
            data = data[:-1]
        return data.replace(CRLF, LF)

    def finish(self) -> bytes:
        """Return the CR that waited for more, if any; the stream is over."""
        held, self._held = self._held, b""
        return held
