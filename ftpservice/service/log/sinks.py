"""Where log lines go: a file that can be opened anew, a stream that is inherited, syslog.

What is here blocks, and belongs in the thread of a `LogWriter`.
"""

from __future__ import annotations

import os
import select
import stat
import syslog
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Protocol

from twisted.logger import LogEvent, LogLevel, eventAsText, formatEventAsClassicLogText

from ftpservice.service.settings.directories import Owner
from ftpservice.service.settings.errors import error_text

__all__ = ["FileSink", "LogEntry", "LogSink", "StreamSink", "SyslogSink", "is_journal"]

LogEntry = tuple[str, str]
"""The name of a level, and text that ends with a line end."""
LOG_FILE_MODE = 0o640
"""Permission bits of a new log file: it tells the names of files and accounts."""
POLL_MILLISECONDS = 1000


PRIORITIES = {
    LogLevel.debug.name: syslog.LOG_DEBUG,
    LogLevel.info.name: syslog.LOG_INFO,
    LogLevel.warn.name: syslog.LOG_WARNING,
    LogLevel.error.name: syslog.LOG_ERR,
    LogLevel.critical.name: syslog.LOG_CRIT,
}


class LogSink(Protocol):
    """A place for lines."""

    def text_of(self, event: LogEvent) -> str | None:
        """Return an event as text that ends with a line end; None for one without text."""

    def write(self, entries: Sequence[LogEntry]) -> None:
        """Write entries; raises `OSError`, and goes on behind what was written when called again.

        When called again after an error, ``entries`` are more of them or none.
        """

    def give_up(self) -> int:
        """Forget what could not be written; returns the number of lines."""

    def reopen(self) -> str:
        """Open the file by its name again; returns a line that says what came of it, or nothing."""

    def close(self) -> None:
        """Let go of what was opened."""


class StreamSink:
    """A descriptor that belongs to somebody else, as standard output does.

    ``tells_levels``: each entry begins with its level, as systemd's journal wants (sd-daemon(3)).
    """

    def __init__(self, descriptor: int, tells_levels: bool = False) -> None:
        self._descriptor = descriptor
        self._tells_levels = tells_levels
        self._rest = b""

    def text_of(self, event: LogEvent) -> str | None:
        """Return an event as ``twistd`` writes it."""
        return formatEventAsClassicLogText(event)

    def write(self, entries: Sequence[LogEntry]) -> None:
        """Write, and wait where the descriptor is one that does not wait by itself."""
        text = "".join(map(self._marked, entries))
        self._rest += text.encode("utf-8", "backslashreplace")
        while self._rest:
            try:
                self._rest = self._rest[os.write(self._descriptor, self._rest) :]
            except BlockingIOError:
                poll = select.poll()
                poll.register(self._descriptor, select.POLLOUT)
                if not poll.poll(POLL_MILLISECONDS):
                    raise

    def _marked(self, entry: LogEntry) -> str:
        level, text = entry
        return f"<{PRIORITIES.get(level, syslog.LOG_INFO)}>{text}" if self._tells_levels else text

    def give_up(self) -> int:
        """Forget what could not be written."""
        lost, self._rest = self._rest.count(b"\n"), b""
        return lost

    def reopen(self) -> str:
        """There is no name to open it by."""
        return "SIGUSR1: the log goes to standard output, there is no file to open anew"

    def close(self) -> None:
        """Leave it open: it is not ours."""


class FileSink(StreamSink):
    """A file with a name; raises `OSError` when it cannot be opened.

    ``owner`` is whom the process will become: a file that root makes is theirs, or they could not
    open it again.
    """

    def __init__(self, path: str, owner: Owner = (-1, -1)) -> None:
        self._path = os.path.abspath(path)
        super().__init__(_opened(self._path, owner))

    def reopen(self) -> str:
        """Write into the file that has the name now; what was open stays if there is none."""
        try:
            descriptor = _opened(self._path, (-1, -1))
        except OSError as error:
            reason = error_text(error)
            return f"cannot open {self._path} anew: {reason}; the old file stays in use"
        former, self._descriptor = self._descriptor, descriptor
        os.close(former)
        return ""

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


def _opened(path: str, owner: Owner) -> int:
    """Open a log file; a FIFO nobody reads is an error, not a reason to wait."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK
    with suppress(FileExistsError):
        descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, LOG_FILE_MODE)
        if owner != (-1, -1):
            os.fchown(descriptor, *owner)
        return descriptor
    descriptor = os.open(path, flags | os.O_CREAT, LOG_FILE_MODE)
    os.set_blocking(descriptor, True)
    if owner != (-1, -1):
        _hand_over(path, descriptor, owner)
    return descriptor


def _hand_over(path: str, descriptor: int, owner: Owner) -> None:
    """Give a file that root has made before to its owner, unless a link leads elsewhere."""
    status = os.fstat(descriptor)
    with suppress(OSError):
        named = os.lstat(path)
        is_it = (named.st_dev, named.st_ino) == (status.st_dev, status.st_ino)
        plain = stat.S_ISREG(status.st_mode) and status.st_nlink == 1 and status.st_uid == 0
        if plain and is_it:
            os.fchown(descriptor, *owner)


class SyslogSink:
    """The system's log; it has times of its own, and gets the levels."""

    def __init__(self, prefix: str) -> None:
        syslog.openlog(prefix, syslog.LOG_PID, syslog.LOG_DAEMON)

    def text_of(self, event: LogEvent) -> str | None:
        """Return an event without its time."""
        text = eventAsText(event, includeTimestamp=False)
        return f"{text}\n" if text else None

    def write(self, entries: Sequence[LogEntry]) -> None:
        """Write each line by itself."""
        for level, text in entries:
            for line in text.encode("utf-8", "backslashreplace").decode().splitlines():
                syslog.syslog(PRIORITIES.get(level, syslog.LOG_INFO), line.replace("\0", "\\x00"))

    def give_up(self) -> int:
        """Nothing is ever left."""
        return 0

    def reopen(self) -> str:
        """There is nothing to open."""
        return "SIGUSR1: the log goes to syslog, there is no file to open anew"

    def close(self) -> None:
        """Let go of the socket."""
        syslog.closelog()


def is_journal(descriptor: int, environment: Mapping[str, str] = os.environ) -> bool:
    """Tell whether a descriptor leads to systemd's journal (systemd.exec(5), JOURNAL_STREAM)."""
    status = os.fstat(descriptor)
    return environment.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
