"""Line ends of ASCII transfers (RFC 959 §3.1.1.1): CRLF on the wire, LF in our files.

Lossless both ways: a CR that is part of a file stays one, so what was stored comes back.
"""

from __future__ import annotations

__all__ = ["FromNetwork", "to_network"]

LF = b"\n"
CR = b"\r"
CRLF = b"\r\n"


def to_network(data: bytes) -> bytes:
    """Make every LF a CRLF, also one that has a CR before it; needs no memory between pieces."""
    return data.replace(LF, CRLF)


class FromNetwork:
    """Makes every CRLF a LF, wherever the stream is cut into pieces; a lone CR stays."""

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
