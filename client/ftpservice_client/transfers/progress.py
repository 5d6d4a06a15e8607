"""Progress of one transfer, reported to a callback twenty times a second.

That of a small file, which ends soon, is reported at its beginning and its end.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from ftpservice.stream.connection import SMALL_FILE_SIZE
from ftpservice_client.interfaces import ByteCounter
from ftpservice_client.results import ProgressCallback

__all__ = ["ProgressReporter"]

REPORT_SECONDS = 0.05
"""Seconds between two reports: half of the documented interval, because a reactor may be late."""
log = Logger()


class ProgressReporter:
    """Reads a counter and calls a callback until `stop`.

    A callback that raises is logged and not called again; the transfer continues.
    """

    def __init__(self, clock: Any, progress: ProgressCallback) -> None:
        self._progress: ProgressCallback | None = progress
        self._counter: ByteCounter | None = None
        self._zero = self._furthest = 0
        self._reported: tuple[int, int | None] | None = None
        self._total: int | None = None
        self._clock = clock
        self._calls: LoopingCall | None = None
        self.base = 0
        """Bytes of the file before those that are counted."""

    def begin(self, counter: ByteCounter, total: int | None) -> None:
        """Count the bytes from here on; ``total`` is the size of the file."""
        self._counter, self._zero, self._total = counter, counter.moved, total
        if total is not None and total <= SMALL_FILE_SIZE:
            self._report_safely(self._report)
        elif self._calls is None:
            self._calls = LoopingCall(self._report)
            self._calls.clock = self._clock
            self._calls.start(REPORT_SECONDS).addErrback(self._failed)

    def _report(self) -> None:
        if self._counter is not None:
            moved = self.base + self._counter.moved - self._zero
            self._furthest = furthest = max(self._furthest, moved)  # some bytes are sent twice
            self._call(furthest if self._total is None else min(furthest, self._total))

    def _call(self, moved: int) -> None:
        report = (moved, self._total)
        if self._progress is not None and report != self._reported:
            self._reported = report
            self._progress(*report)

    def _failed(self, failure: Any) -> None:
        log.failure("a progress callback failed", failure)
        self._progress = None

    def done(self, size: int) -> None:
        """Report that all ``size`` bytes were moved."""
        self._total = size
        self._report_safely(partial(self._call, size))

    def _report_safely(self, report: Callable[[], None]) -> None:
        try:
            report()
        except Exception:  # noqa: BLE001 - whatever a caller's function raises
            log.failure("a progress callback failed")
            self._progress = None

    def stop(self) -> None:
        """Report nothing more."""
        self._counter = None
        if self._calls is not None and self._calls.running:
            self._calls.stop()
