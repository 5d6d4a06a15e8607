"""Faults of connections, set by a test in advance."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass

__all__ = ["Fault", "Faults"]


@dataclass(frozen=True, slots=True)
class Fault:
    """The fault of one connection; bytes in both directions are counted together."""

    reset_after: int | None = None
    """Bytes after which the connection is reset, for both sides (RST)."""
    stall_after: int | None = None
    """Bytes after which nothing is delivered any more, without an error."""
    end_after: int | None = None
    """Bytes after which both sides receive an orderly end (FIN)."""
    rate: float | None = None
    """Bytes per second; None: all at once."""
    lost_reply: str = ""
    """A regular expression; the first line from the server that matches it is dropped."""

    @property
    def limit(self) -> int | None:
        """Number of bytes that are delivered; None: all."""
        limits = (self.reset_after, self.stall_after, self.end_after)
        return min((limit for limit in limits if limit is not None), default=None)

    def loses(self, line: bytes) -> bool:
        """Return whether a line is the one to drop."""
        pattern = self.lost_reply
        return bool(pattern) and re.match(pattern, line.decode(errors="replace")) is not None


NO_FAULT = Fault()


class Faults:
    """The faults of the next connections, in order."""

    def __init__(self) -> None:
        self._next: dict[str, deque[Fault]] = {"control": deque(), "data": deque()}

    def control(self, *faults: Fault) -> None:
        """Set the faults of the next control connections and connections of the simple protocol."""
        self._next["control"] += faults

    def data(self, *faults: Fault) -> None:
        """Set the faults of the next data connections."""
        self._next["data"] += faults

    def of(self, kind: str) -> Fault:
        """Return the fault of a new connection."""
        waiting = self._next[kind]
        return waiting.popleft() if waiting else NO_FAULT
