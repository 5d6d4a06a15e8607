"""The last events of workers whose main process was killed: the next one gets them for its journal.

Such a worker lets its transfers finish. What happens then goes into a file of its own, which it
keeps locked until it ends. A main process looks for such files, and removes them when it has read
them. A line has an event as `encode_event` returns it, in JSON.

What had been sent when the main process was killed, and was not in its journal, is lost, as the
events of its own last moment.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from ftpservice.concurrency.thread_pool import BlockingPool, PoolOverloaded, PoolStopped
from ftpservice.events import Event
from ftpservice.wire.units import count_text
from ftpservice.workers.event_codec import UNKNOWN, EncodedEvent, EventDecoder, plain_values

__all__ = ["LastEvents", "LastEventsReader"]

log = Logger("ftpservice.workers")

MAX_BYTES = 8 * 1024 * 1024
"""Of one file: further events are dropped."""
PRIVATE_MODE, PRIVATE_DIRECTORY_MODE = 0o600, 0o700
SUFFIX = ".events"
LOOK_SECONDS = 5.0
QUIET_LOOKS = 6
"""Looks in a row without a file, after which there will be none any more."""


class LastEvents:
    """Writes events into a new file in ``directory``, in a thread."""

    def __init__(self, directory: Path, reactor: Any) -> None:
        self._directory = directory
        self._pool = BlockingPool(reactor, "last events", threads=1)
        self._file = -1
        self._size = 0
        self._pool.run(self._open).addErrback(_not_written)

    def write(self, batch: Sequence[EncodedEvent]) -> None:
        """Write events soon."""
        self._pool.run(self._append, tuple(batch)).addErrback(_not_written)

    async def finish(self) -> None:
        """Write what waits, and unlock the file."""
        await self._pool.finish(self._close)
        await self._pool.stop()

    def _open(self) -> None:
        """Make the file; it gets its name when it is locked."""
        os.makedirs(self._directory, PRIVATE_DIRECTORY_MODE, exist_ok=True)
        name = f"{os.getpid()}-{secrets.token_hex(4)}{SUFFIX}"
        hidden = self._directory / f".{name}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        self._file = os.open(hidden, flags, PRIVATE_MODE)
        fcntl.flock(self._file, fcntl.LOCK_EX)
        os.rename(hidden, self._directory / name)

    def _append(self, batch: Sequence[EncodedEvent]) -> None:
        data = "".join(f"{json.dumps(plain_values(one))}\n" for one in batch).encode()
        if self._file < 0 or self._size + len(data) > MAX_BYTES:
            return
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._file, view) :]
        except OSError:
            os.ftruncate(self._file, self._size)
            raise
        self._size += len(data)

    def _close(self) -> None:
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)


class LastEventsReader(Service):
    """Calls ``take`` with the events in the files of ``directory``, which may not exist."""

    def __init__(self, directory: Path, take: Callable[[Event], object], reactor: Any) -> None:
        self._directory = directory
        self._take = take
        self._reactor = reactor
        self._pool = BlockingPool(reactor, "last events", threads=1)
        self._due: IDelayedCall | None = None
        self._quiet = 0

    def startService(self) -> None:
        """Look for files, until there are none for a while."""
        super().startService()
        self._pool = BlockingPool(self._reactor, "last events", threads=1)
        self._look()

    def stopService(self) -> Deferred[None]:
        """Look no more; fires when the thread has ended."""
        super().stopService()
        if self._due is not None:
            self._due.cancel()
            self._due = None
        return self._pool.stop()

    def _look(self) -> None:
        self._due = None
        looking = self._pool.run(read_files, self._directory)
        looking.addCallbacks(self._found, self._not_read)
        looking.addErrback(lambda failure: log.failure("the last events failed", failure))
        looking.addCallback(self._look_again)

    def _found(self, found: tuple[list[Event], bool]) -> None:
        events, are_left = found
        self._quiet = 0 if events or are_left else self._quiet + 1
        for event in events:
            self._take(event)
        if events:
            log.info(
                "{count} of workers whose main process was killed",
                count=count_text(len(events), "event"),
            )

    def _not_read(self, failure: Failure) -> None:
        failure.trap(OSError, PoolOverloaded, PoolStopped)
        self._quiet += 1
        if self.running:
            log.error("the events of killed workers: {reason}", reason=failure.getErrorMessage())

    def _look_again(self, _none: object) -> None:
        if self.running and self._quiet < QUIET_LOOKS:
            self._due = self._reactor.callLater(LOOK_SECONDS, self._look)


def read_files(directory: Path) -> tuple[list[Event], bool]:
    """Return the events of complete files, which are removed, and whether others are there."""
    events: list[Event] = []
    are_left = False
    for path in sorted(directory.glob(f"[0-9]*{SUFFIX}")) if directory.is_dir() else ():
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        with os.fdopen(file, "rb") as opened:
            try:
                fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                are_left = True
                continue
            lines = opened.read(MAX_BYTES).splitlines()
            path.unlink()  # before the events are used: none comes twice
        events += _decoded(lines)
    return events, are_left


def _decoded(lines: Sequence[bytes]) -> list[Event]:
    decoder, events, unknown = EventDecoder(), [], 0
    for line in lines:
        try:
            events.append(decoder.decode(_tupled(json.loads(line))))
        except UNKNOWN:  # of another version, or cut
            unknown += 1
    if unknown:
        log.warn("{count} of killed workers cannot be read", count=count_text(unknown, "event"))
    return events


def _tupled(value: Any) -> Any:
    """Return the tuples that JSON has made lists of."""
    return tuple(map(_tupled, value)) if isinstance(value, list) else value


def _not_written(failure: Failure) -> None:
    failure.trap(OSError, PoolOverloaded, PoolStopped)  # nobody is there to be told
