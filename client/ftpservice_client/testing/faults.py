"""What can go wrong with a connection, said beforehand by a test."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass

__all__ = ["Fault", "Faults"]


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with one connection; bytes are counted both ways together."""

    cut_after: int | None = None
    """Bytes after which it breaks, for both sides (RST)."""
    stall_after: int | None = None
    """Bytes after which nothing arrives any more, without an error."""
    end_after: int | None = None
    """Bytes after which each side sees the other end in order (FIN)."""
    rate: float | None = None
    """Bytes a second; None for all at once."""
    lost_reply: str = ""
    """A regular expression: the first line from the server that it matches is lost."""

    @property
    def limit(self) -> int | None:
        """Bytes that arrive at most."""
        limits = (self.cut_after, self.stall_after, self.end_after)
        return min((limit for limit in limits if limit is not None), default=None)

    def loses(self, line: bytes) -> bool:
        """Tell whether this line is the one that is lost."""
        pattern = self.lost_reply
        return bool(pattern) and re.match(pattern, line.decode(errors="replace")) is not None


NO_FAULT = Fault()


class Faults:
    """Which connections have faults: the next ones, in order, each with its own."""

    def __init__(self) -> None:
        self._next: dict[str, deque[Fault]] = {"control": deque(), "data": deque()}

    def control(self, *faults: Fault) -> None:
        """Say what the next connections of sessions have; the simple protocol has only those."""
        self._next["control"] += faults

    def data(self, *faults: Fault) -> None:
        """Say what the next data connections have."""
        self._next["data"] += faults

    def of(self, kind: str) -> Fault:
        """Return that of a connection that begins now."""
        waiting = self._next[kind]
        return waiting.popleft() if waiting else NO_FAULT
