"""The xferlog as a file: opened at the start, written in a thread, reopened by its name."""

from __future__ import annotations

import os
from collections.abc import Callable

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ftpservice.activity.logs.xferlog import TransferLog
from ftpservice.events import EventStream
from ftpservice.service.log.sinks import FileSink, check_log_file
from ftpservice.service.log.writer import LogWriter
from ftpservice.service.settings.directories import Owner
from ftpservice.service.settings.errors import CannotStart, error_text

__all__ = ["TransferLogFile", "check_transfer_log"]

log = Logger("ftpservice")


class TransferLogFile(Service):
    """Writes the lines of `TransferLog` to a file that belongs to ``owner``.

    ``close`` ends it, after the last transfer; what it cannot write is counted in the log.
    """

    def __init__(self, path: str, owner: Owner, events: EventStream, clock: IReactorTime) -> None:
        self._path = path
        self._owner = owner
        self._events = events
        self._clock = clock
        self._writer: LogWriter | None = None
        self._lines: TransferLog | None = None
        self._unsubscribe: Callable[[], None] = lambda: None

    def privilegedStartService(self) -> None:
        """Open the file; raises `CannotStart`."""
        try:
            sink = FileSink(self._path, self._owner)
        except OSError as error:
            raise _unwritable(self._path, error) from None
        self._writer = LogWriter(sink, report=lambda text: log.warn("xferlog: {text}", text=text))
        self._lines = TransferLog(self._clock, self._writer.put)
        self._unsubscribe = self._events.subscribe(self._lines, *TransferLog.kinds)

    def startService(self) -> None:
        """Start the thread; the process must not fork afterwards."""
        super().startService()
        if self._writer is not None:
            self._writer.start()

    def reopen(self) -> None:
        """Write to the file that has the name now."""
        if self._writer is not None:
            self._writer.reopen()

    def close(self) -> None:
        """Write what waits, and close the file."""
        if self._writer is not None and self._lines is not None:
            self._unsubscribe()
            self._lines.flush()
            self._writer.close()
        self._writer = self._lines = None


def check_transfer_log(path: str | None, owner: Owner) -> None:
    """Raise the `CannotStart` of the start for the setting ``xferlog``; creates nothing."""
    if path is not None:
        try:
            check_log_file(os.path.abspath(path), owner)
        except OSError as error:
            raise _unwritable(path, error) from None


def _unwritable(path: str, error: OSError) -> CannotStart:
    return CannotStart(
        f"--xferlog: cannot write {path}: {error_text(error)} - create its directory, change its "
        "owner or mode, or choose another file"
    )
