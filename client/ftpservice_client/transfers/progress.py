"""Telling how a transfer comes along, a few times a second."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from ftpservice_client.interfaces import ByteCounter
from ftpservice_client.results import ProgressCallback

__all__ = ["ProgressReporter"]

REPORT_SECONDS = 0.05
"""Seconds between two looks: half of what callers are promised, for a reactor may be late."""
log = Logger()


class ProgressReporter:
    """Reads a counter and calls a progress callback; use it in ``with``.

    A callback that fails is logged, and not called again: it has no say in the transfer.
    """

    def __init__(self, clock: Any, progress: ProgressCallback | None) -> None:
        self._progress = progress
        self._counter: ByteCounter | None = None
        self._zero = self._furthest = 0
        self._told: tuple[int, int | None] | None = None
        self._total: int | None = None
        self._clock = clock
        self._calls: LoopingCall | None = None
        self.base = 0
        """Bytes that were there before."""

    def begin(self, counter: ByteCounter, total: int | None) -> None:
        """Count from here on, to ``total``."""
        self._counter, self._zero, self._total = counter, counter.moved, total
        if self._progress is not None and self._calls is None:
            self._calls = LoopingCall(self._look)
            self._calls.clock = self._clock
            self._calls.start(REPORT_SECONDS).addErrback(self._failed)

    def _look(self) -> None:
        if self._counter is not None:
            moved = self.base + self._counter.moved - self._zero
            self._furthest = furthest = max(self._furthest, moved)  # some bytes move twice
            self._tell(furthest if self._total is None else min(furthest, self._total))

    def _tell(self, moved: int) -> None:
        told = (moved, self._total)
        if self._progress is not None and told != self._told:
            self._told = told
            self._progress(*told)

    def _failed(self, failure: Any) -> None:
        log.failure("a progress callback failed", failure)
        self._progress = None

    def done(self, moved: int) -> None:
        """Tell that all is there."""
        self._total = moved
        try:
            self._tell(moved)
        except Exception:  # noqa: BLE001 - whatever a caller's function raises
            log.failure("a progress callback failed")

    def __enter__(self) -> ProgressReporter:
        return self

    def __exit__(self, *_: object) -> None:
        self._counter = None
        if self._calls is not None and self._calls.running:
            self._calls.stop()
