"""The log's own thread: whoever logs never waits for a disk, a pipe or a terminal.

Lines wait in a queue with a bound. When nobody takes them (a full disk, a pager that is not read, a
reader that is gone) those beyond it are dropped and counted, and the log says later how many.
Nothing here logs, or a failure would feed itself.

The thread begins with `LogWriter.start`, when the process is the one that will serve: a daemon
forks before. Until then lines wait, and at the end of a process that never came so far they are
written without it.
"""

from __future__ import annotations

import errno
import threading
import time
from collections import deque
from collections.abc import Sequence

from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEventAsClassicLogText
from zope.interface import implementer

from ftpservice.service.log.sinks import LogEntry, LogSink

__all__ = ["LogWriter"]

MAX_QUEUED_LINES = 10_000
MAX_QUEUED_CHARACTERS = 4 * 1024 * 1024
RETRY_SECONDS = 1.0
"""Between two attempts to write to a disk that is full, or a pipe."""
FLUSH_SECONDS = 2.0
"""How long the end of the process waits for the last lines."""
READER_GONE_ERRNOS = (errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN, errno.EBADF)
"""Nobody will ever read what is written there; there is no sense in keeping it."""


@implementer(ILogObserver)
class LogWriter:
    """Writes what is logged to ``sink``, in a thread of its own."""

    def __init__(
        self, sink: LogSink, most_lines: int = MAX_QUEUED_LINES, retry: float = RETRY_SECONDS
    ) -> None:
        self._sink = sink
        self._most_lines = most_lines
        self._retry = retry
        self._wakes = threading.Condition()
        self._queue: deque[LogEntry] = deque()
        self._size = 0
        self._lost = 0
        self._reopens = False
        self._ends = self._pending = False
        self._thread: threading.Thread | None = None

    def __call__(self, event: LogEvent) -> None:
        """Have an event written; never waits, from whatever thread it comes."""
        text = self._sink.text_of(event)
        if text:
            level = event.get("log_level")
            self.put(text, level.name if level is not None else LogLevel.info.name)

    def put(self, text: str, level: str = LogLevel.info.name) -> None:
        """Have a text written that ends with a line end."""
        with self._wakes:
            if len(self._queue) >= self._most_lines or self._size >= MAX_QUEUED_CHARACTERS:
                self._lost += text.count("\n")
                return
            self._queue.append((level, text))
            self._size += len(text)
            self._wakes.notify()

    def reopen(self) -> None:
        """Have the file opened by its name again."""
        with self._wakes:
            self._reopens = True
            self._wakes.notify()

    def start(self) -> None:
        """Begin to write."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="ftpservice-log", daemon=True)
            self._thread.start()

    def close(self, seconds: float = FLUSH_SECONDS) -> None:
        """Write what waits, for some seconds at most; what is logged later is dropped."""
        with self._wakes:
            if self._ends:
                return
            self._ends = True
            self._wakes.notify()
        if self._thread is None:
            self._run()
        else:
            self._thread.join(seconds)

    def _run(self) -> None:
        failed = ends = False
        while not ends:
            reopens, ends = self._wait(failed)
            told = self._sink.reopen() if reopens else ""
            if told:
                self.put(_line(told))
            entries, lost = self._take() if not failed else ([], 0)
            written = self._written(entries)
            if lost and not (written and (self._written([_loss(lost)]) or self._pending)):
                self._lose(lost)
            failed = self._pending
            if ends and not failed:
                ends = not self._queue
        self._sink.close()

    def _wait(self, failed: bool) -> tuple[bool, bool]:
        """Wait until there is something to do; returns whether to reopen, and whether to end."""
        with self._wakes:
            if failed and not self._ends:
                self._wakes.wait(self._retry)
            while not (failed or self._queue or self._reopens or self._ends):
                self._wakes.wait()
            reopens, self._reopens = self._reopens, False
            return reopens, self._ends

    def _take(self) -> tuple[Sequence[LogEntry], int]:
        """Take what waits, and the number of lines that were dropped behind it."""
        with self._wakes:
            entries, self._queue, self._size = self._queue, deque(), 0
            lost, self._lost = self._lost, 0
            return entries, lost

    def _written(self, entries: Sequence[LogEntry]) -> bool:
        """Write; tells whether it went well. What is ``_pending`` then is tried again."""
        self._pending = False
        try:
            self._sink.write(entries)
        except OSError as error:
            self._pending = error.errno not in READER_GONE_ERRNOS
            if not self._pending:
                self._lose(self._sink.give_up())
            return False
        return True

    def _lose(self, lines: int) -> None:
        with self._wakes:
            self._lost += lines


def _loss(lines: int) -> LogEntry:
    return "warn", _line(f"{lines} log line{'s were' if lines > 1 else ' was'} lost")


def _line(text: str) -> str:
    """Return a line of the log about the log itself."""
    event = {
        "log_namespace": "ftpservice",
        "log_level": LogLevel.warn,
        "log_time": time.time(),
        "log_format": "{text}",
        "text": text,
    }
    return formatEventAsClassicLogText(event) or ""
