"""A worker with few descriptors left: connections are left to others that have more.

Without that, it would refuse them although others have room; and since it has fewer and fewer
sessions than these, they would leave all connections to it.
"""

from __future__ import annotations

import errno
import os
import resource
from contextlib import suppress

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ftpservice.concurrency.timers import Deadline
from ftpservice.workers.session_board import BoardColumn

__all__ = ["CHECK_SECONDS", "KEPT_DESCRIPTORS", "LOG_SECONDS", "FullWorker"]

log = Logger("ftpservice.workers")

KEPT_DESCRIPTORS = 32
"""Kept for the sessions that there are: each takes some for a login and for its transfers."""
CHECK_SECONDS = 0.1
LOG_SECONDS = 60.0


class FullWorker:
    """Marks the ``column`` of this process, until there are descriptors again."""

    def __init__(self, column: BoardColumn, clock: IReactorTime) -> None:
        self._column = column
        self._clock = clock
        self._check = Deadline(clock, self._look)
        self._next_line = 0.0
        self.last_descriptor = resource.getrlimit(resource.RLIMIT_NOFILE)[0] - KEPT_DESCRIPTORS
        """A connection beyond it is near the limit (the least number that is free is given)."""

    def mark(self) -> None:
        """Note that few descriptors are left."""
        if not self._column.is_full:
            self._column.is_full = True
            self._tell()
        self._check.set(CHECK_SECONDS)

    def leaves(self, error: OSError) -> bool:
        """Return whether a connection is left to others that could not be accepted for an error."""
        if error.errno != errno.EMFILE:  # the other errors are those of the machine
            return False
        self.mark()
        return self._column.others_accept()

    def stop(self) -> None:
        """Look no more."""
        self._check.clear()

    def _look(self) -> None:
        if _are_free(KEPT_DESCRIPTORS):
            self._column.is_full = False
        else:
            self._check.set(CHECK_SECONDS)

    def _tell(self) -> None:
        now = self._clock.seconds()
        if now < self._next_line:
            return
        self._next_line = now + LOG_SECONDS
        log.warn(
            "few descriptors are left: new sessions are left to other workers; raise LimitNOFILE "
            "(it is {limit} for each worker), or lower max-sessions",
            limit=resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        )


def _are_free(count: int) -> bool:
    """Return whether so many descriptors can be opened."""
    opened: list[int] = []
    with suppress(OSError):
        opened.extend(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC) for _ in range(count))
    for one in opened:
        os.close(one)
    return len(opened) == count
