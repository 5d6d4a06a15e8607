"""The space of directories, looked up in threads: a file system may hang."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from ftpservice.activity.metrics.metric_reading import Reading
from ftpservice.concurrency.thread_pool import BlockingPool, PoolOverloaded, PoolStopped

__all__ = ["StorageSpace"]

HANG_SECONDS = 30.0
"""A file system that has not answered for this time is down."""


class StorageSpace:
    """What was found the last time; each reading begins the next look."""

    def __init__(self, directories: Sequence[str], reactor: Any) -> None:
        self._clock = reactor
        self._found: dict[str, os.statvfs_result] = {}
        self._asked: dict[str, float] = {}
        """When the directories were asked that have not answered."""
        self._down = dict.fromkeys(directories, False)
        most = max(1, len(directories))
        self._pool = BlockingPool(reactor, "metrics space", threads=most, waiting=most)

    def stop(self) -> Deferred[None]:
        """Look no more."""
        return self._pool.stop()

    def look(self) -> None:
        """Ask each directory that has answered."""
        now = self._clock.seconds()
        for directory in self._down:
            if directory not in self._asked:
                self._asked[directory] = now
                asked = self._pool.run(os.statvfs, directory)
                asked.addCallbacks(
                    self._answered,
                    self._failed,
                    callbackArgs=(directory,),
                    errbackArgs=(directory,),
                )
            elif now - self._asked[directory] > HANG_SECONDS:
                self._down[directory] = True

    def _answered(self, found: os.statvfs_result, directory: str) -> None:
        self._asked.pop(directory)
        self._found[directory] = found
        self._down[directory] = False

    def _failed(self, failure: Failure, directory: str) -> None:
        failure.trap(OSError, PoolOverloaded, PoolStopped)
        self._asked.pop(directory)
        self._down[directory] = True

    def readings(self) -> Iterator[Reading]:
        """Yield the metrics of the last look, and begin another one."""
        self.look()
        down, found = self._down, self._found
        known = {place: found[place] for place in down if place in found and not down[place]}
        yield Reading.by(
            *("directory", "storage_up", "Whether the file system of a directory answers."),
            ((place, 0.0 if is_down else 1.0) for place, is_down in down.items()),
        )
        gauges = (
            ("storage_size_bytes", "Size of the file system.", "f_blocks", "f_frsize"),
            ("storage_free_bytes", "Space that the service can use.", "f_bavail", "f_frsize"),
            ("storage_inodes", "Files that the file system can have; 0: no limit.", "f_files", ""),
            ("storage_free_inodes", "Files that can be added.", "f_favail", ""),
        )
        for name, text, count, unit in gauges:
            yield Reading.by(
                *("directory", name, text),
                (
                    (place, float(getattr(one, count) * (getattr(one, unit) if unit else 1)))
                    for place, one in known.items()
                ),
            )
