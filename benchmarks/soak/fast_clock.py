"""The clock of the service: its rate can be changed while processes run (``fastclock.c``)."""

from __future__ import annotations

import mmap
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["FastClock"]

HEAD = struct.Struct("=qqqq")
"""The real clocks at the start in nanoseconds: of the day, steady, since boot; number of spans."""
SPAN = struct.Struct("=qqd")
"""Where a span begins after the start, in real and in fast nanoseconds, and its rate."""
COUNT_OFFSET = 24
MOST_SPANS = 4096


class FastClock:
    """Passes ``rate`` times as fast as the clock of the machine, except within `normal`."""

    def __init__(self, path: Path, library: Path, rate: float) -> None:
        self._rate = rate
        self._lock = threading.Lock()
        self._normal = 0
        self._spans = 0
        self._since, self._fast, self._current = 0, 0, 1.0
        self._start = time.monotonic_ns()
        clocks = (time.time_ns(), self._start, time.clock_gettime_ns(time.CLOCK_BOOTTIME))
        path.write_bytes(HEAD.pack(*clocks, 0) + bytes(SPAN.size * MOST_SPANS))
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 0)
        self.environment = {"LD_PRELOAD": str(library), "FAST_CLOCK": str(path)}
        self._change(rate)

    @property
    def hours(self) -> float:
        """The hours that have passed so far."""
        return self._now()[1] / 3_600_000_000_000

    @contextmanager
    def normal(self) -> Iterator[None]:
        """A context manager in which time passes as usual: processes take their time to start."""
        with self._lock:
            self._normal += 1
            self._change(1.0)
        try:
            yield
        finally:
            with self._lock:
                self._normal -= 1
                if not self._normal:
                    self._change(self._rate)

    def _now(self) -> tuple[int, int]:
        """Return the nanoseconds since the start, in real and in fast time."""
        real = time.monotonic_ns() - self._start
        return real, self._fast + int((real - self._since) * self._current)

    def _change(self, rate: float) -> None:
        self._since, self._fast = self._now()
        self._current = rate
        if self._spans == MOST_SPANS:
            raise RuntimeError("the rate of the clock has changed too often")
        offset = HEAD.size + self._spans * SPAN.size
        self._memory[offset : offset + SPAN.size] = SPAN.pack(self._since, self._fast, rate)
        self._spans += 1
        self._memory[COUNT_OFFSET : HEAD.size] = struct.pack("=q", self._spans)
