"""Lines of the control connection out of whatever pieces arrive (RFC 959 §5.3, RFC 854)."""

from __future__ import annotations

from dataclasses import dataclass

from ftpservice.wire.telnet import IAC, TelnetFilter

__all__ = ["LineReader", "OverlongLine"]

LF = b"\n"
CR = b"\r"
CRLF = b"\r\n"


@dataclass(frozen=True, slots=True)
class OverlongLine:
    """Stands where a line longer than the limit was; its text is gone."""


class LineReader:
    """Cuts a stream into lines: LF ends one, a CR before it goes, Telnet sequences are out.

    Holds less than ``limit`` bytes at any time, whatever arrives.
    """

    __slots__ = ("_buffer", "_discarding", "_limit", "telnet")

    def __init__(self, limit: int = 4096) -> None:
        self._limit = limit
        self._buffer = b""
        self._discarding = False
        self.telnet = TelnetFilter()
        """What takes Telnet sequences out, and has the answers to them."""

    @property
    def pending(self) -> bool:
        """Whether an unfinished line (or half a Telnet sequence) has arrived."""
        return bool(self._buffer) or self._discarding or self.telnet.unfinished is not None

    def feed(self, data: bytes) -> list[bytes | OverlongLine]:
        """Return the lines that ``data`` completes, without their ends.

        A line of more than ``limit`` bytes, its end included, gives one `OverlongLine` as soon
        as that is certain; the rest of it is dropped up to its LF.
        """
        if IAC in data or self.telnet.unfinished is not None:
            data = self.telnet.strip(data)
        end = data.find(LF)
        if end < 0:
            return self._keep(data)
        if end == len(data) - 1 < self._limit and not self._buffer and not self._discarding:
            return [data[:-2] if data.endswith(CRLF) else data[:-1]]
        return self._split(data)

    def clear(self) -> None:
        """Forget everything that was buffered: what follows comes from a new, secured stream."""
        self._buffer = b""
        self._discarding = False
        self.telnet.clear()

    def _split(self, data: bytes) -> list[bytes | OverlongLine]:
        *ends, rest = data.split(LF)
        lines: list[bytes | OverlongLine] = []
        for piece in ends:
            if self._discarding:
                self._discarding = False
            else:
                lines.append(self._finished(piece))
        return lines + self._keep(rest)

    def _finished(self, piece: bytes) -> bytes | OverlongLine:
        if self._buffer:
            piece = self._buffer + piece
            self._buffer = b""
        if len(piece) >= self._limit:
            return OverlongLine()
        return piece.removesuffix(CR)

    def _keep(self, rest: bytes) -> list[bytes | OverlongLine]:
        if self._discarding:
            return []
        if len(self._buffer) + len(rest) < self._limit:
            self._buffer += rest
            return []
        self._buffer = b""
        self._discarding = True
        return [OverlongLine()]
