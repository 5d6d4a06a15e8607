"""Writes the log in a thread, so that logging never waits for a disk, a pipe or a terminal.

Lines are queued, up to a limit. While they cannot be written (a full disk, a pager that does not
read, a closed reader), the lines beyond the limit are dropped and counted, and the log later
reports their number. Nothing here logs, because an error would cause more errors.

The thread is started by `LogWriter.start`, after a daemon has forked. Lines are queued until then;
in a process that ends before, `LogWriter.close` writes them.
"""

from __future__ import annotations

import errno
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from twisted.logger import ILogObserver, LogEvent, LogLevel
from zope.interface import implementer

from ftpservice.service.log.sinks import LogEntry, LogSink

__all__ = ["LogWriter"]

MAX_QUEUED_LINES = 10_000
MAX_QUEUED_CHARACTERS = 4 * 1024 * 1024
RETRY_SECONDS = 1.0
"""Time between attempts to write to a full disk or pipe."""
FLUSH_SECONDS = 2.0
"""Time that the end of the process waits for the last lines."""
READER_GONE_ERRNOS = (errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN, errno.EBADF)
"""Errors after which nothing can be written any more; the lines are dropped."""


@implementer(ILogObserver)
class LogWriter:
    """Writes log events to ``sink``, in a thread.

    ``report`` is called in the thread with what there is to say about the file itself: lines that
    were lost, or that it cannot be reopened. By default that becomes a line of the log.
    """

    def __init__(
        self,
        sink: LogSink,
        max_lines: int = MAX_QUEUED_LINES,
        retry: float = RETRY_SECONDS,
        report: Callable[[str], object] | None = None,
    ) -> None:
        self._sink = sink
        self._report = report
        self._max_lines = max_lines
        self._retry = retry
        self._lock = threading.RLock()  # its own methods: those of a Condition are Python
        self._wakes = threading.Condition(self._lock)
        self._queue: deque[LogEntry] = deque()
        self._queued_characters = 0
        self._lost = 0
        self._reopens = False
        self._ends = self._pending = False
        self._thread: threading.Thread | None = None

    def __call__(self, event: LogEvent) -> None:
        """Queue an event; never blocks, and can be called in any thread."""
        text = self._sink.text_of(event)
        if text:
            level = event.get("log_level")
            self.put(text, level.name if level is not None else LogLevel.info.name)

    def put(self, text: str, level: str = LogLevel.info.name) -> None:
        """Queue text that ends with a line end."""
        with self._lock:
            queued = len(self._queue)
            if queued >= self._max_lines or self._queued_characters >= MAX_QUEUED_CHARACTERS:
                self._lost += text.count("\n")
                return
            self._queue.append((level, text))
            self._queued_characters += len(text)
            if not queued:  # otherwise the thread is awake, or waits for its next attempt
                self._wakes.notify()

    def reopen(self) -> None:
        """Reopen the file, in the thread."""
        with self._wakes:
            self._reopens = True
            self._wakes.notify()

    def start(self) -> None:
        """Start the thread."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="ftpservice-log", daemon=True)
            self._thread.start()

    def close(self, seconds: float = FLUSH_SECONDS) -> None:
        """Write what is queued, for at most ``seconds``; later events are dropped."""
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
            message = self._sink.reopen() if reopens else ""
            if message and self._report is not None:
                self._report(message)
            elif message:
                self.put(self._line(message))
            entries, lost = self._take() if not failed else ([], 0)
            written = self._written(entries)
            if lost and not (written and self._tell_loss(lost)):
                self._lose(lost)
            failed = self._pending
            if ends and not failed:
                ends = not self._queue
        self._sink.close()

    def _wait(self, failed: bool) -> tuple[bool, bool]:
        """Wait for work; returns whether to reopen the file, and whether to end."""
        with self._wakes:
            if failed and not self._ends:
                self._wakes.wait(self._retry)
            while not (failed or self._queue or self._reopens or self._ends):
                self._wakes.wait()
            reopens, self._reopens = self._reopens, False
            return reopens, self._ends

    def _take(self) -> tuple[Sequence[LogEntry], int]:
        """Take the queue, and the number of lines that were dropped after it."""
        with self._lock:
            entries, self._queue, self._queued_characters = self._queue, deque(), 0
            lost, self._lost = self._lost, 0
            return entries, lost

    def _written(self, entries: Sequence[LogEntry]) -> bool:
        """Write; returns whether all was written. ``_pending``: the rest will be tried again."""
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
        with self._lock:
            self._lost += lines

    def _tell_loss(self, lines: int) -> bool:
        """Report the number of lost lines; returns whether nobody needs to do so again."""
        text = f"{lines} log line{'s were' if lines > 1 else ' was'} lost"
        if self._report is None:
            return self._written([("warn", self._line(text))]) or self._pending
        self._report(text)
        return True

    def _line(self, text: str) -> str:
        """Return a line about the log itself."""
        event = {
            "log_namespace": "ftpservice",
            "log_level": LogLevel.warn,
            "log_time": time.time(),
            "log_format": "{text}",
            "text": text,
        }
        return self._sink.text_of(event) or ""
