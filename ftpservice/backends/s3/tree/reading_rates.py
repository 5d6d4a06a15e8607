"""Whether large files of a bucket are forwarded, or read in blocks: as measured.

To forward takes the least time of the processor, but is as fast as one connection to the server.
Where that is slow, for the server is far away or limits each connection, blocks that are read ahead
over several ones may be faster. So the rates of both ways are compared, and now and then the way
that is not used is tried again.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

__all__ = ["BlockMeter", "ReadingRates"]

FAST_BYTES_PER_SECOND = 400e6
"""Of one connection; blocks are not tried then."""
GAIN_OF_BLOCKS = 1.25
"""How many times faster they must be."""
VALID_SECONDS = 60.0
"""How long a rate is believed."""
MEASURED_IN_BLOCKS = 16 << 20
"""Bytes of one measurement of blocks."""


class ReadingRates:
    """The rates of one bucket, in bytes a second; for the reactor thread only."""

    def __init__(self, seconds: Callable[[], float] = monotonic) -> None:
        self.seconds = seconds
        self._forwarded = _Rate(seconds)
        self._blocks = _Rate(seconds)

    @property
    def is_known(self) -> bool:
        """Whether the rate of forwarding is."""
        return self._forwarded.now is not None

    @property
    def forwards(self) -> bool:
        """Whether to forward what is read next."""
        forwarded = self._forwarded.now
        if forwarded is None or forwarded >= FAST_BYTES_PER_SECOND:
            return True
        blocks = self._blocks.now
        return blocks is not None and blocks < forwarded * GAIN_OF_BLOCKS

    def forwarded(self, count: int, seconds: float) -> None:
        """Count bytes that one connection has sent, in the time in which the client took them."""
        self._forwarded.add(count, seconds)

    def sent_in_blocks(self, count: int, seconds: float) -> None:
        """Count bytes that a client took in blocks."""
        self._blocks.add(count, seconds)


class BlockMeter:
    """Measures how fast one client takes blocks."""

    def __init__(self, rates: ReadingRates) -> None:
        self._rates = rates
        self._bytes = 0
        self._since: float | None = None

    def sent(self, size: int) -> None:
        """Count a block that is about to be sent; what came before the first one is not known."""
        now = self._rates.seconds()
        if self._since is not None:
            self._bytes += size
            if self._bytes < MEASURED_IN_BLOCKS:
                return
            self._rates.sent_in_blocks(self._bytes, now - self._since)
        self._bytes, self._since = 0, now

    def reset(self) -> None:
        """Begin again: something else is sent."""
        self._bytes, self._since = 0, None


class _Rate:
    """A rate, of which the last measurements count most."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._rate = 0.0
        self._ends = -1.0

    @property
    def now(self) -> float | None:
        """The rate, None if it is not known or too old."""
        return self._rate if self._seconds() < self._ends else None

    def add(self, count: int, seconds: float) -> None:
        measured = count / max(seconds, 1e-6)
        before = self.now
        self._rate = measured if before is None else (before + measured) / 2
        self._ends = self._seconds() + VALID_SECONDS
