"""Sinks of log lines: a file that can be reopened, an inherited stream, syslog.

Their methods block; they run in the thread of a `LogWriter`.
"""

from __future__ import annotations

import errno
import os
import select
import syslog
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Protocol

from twisted.logger import LogEvent, LogLevel, eventAsText

from ftpservice.service.log.json_lines import json_line
from ftpservice.service.log.text_lines import text_line
from ftpservice.service.settings.directories import NO_CHANGE, Owner, give_to, require_place
from ftpservice.service.settings.errors import error_text

__all__ = [
    "FileSink",
    "LogEntry",
    "LogSink",
    "StreamSink",
    "SyslogSink",
    "TextFormat",
    "check_log_file",
    "is_journal",
]

LogEntry = tuple[str, str]
"""The name of a level, and text with its line end."""
TextFormat = Callable[[LogEvent], str | None]
"""Returns an event as text with its line end; None for an event without text."""
LOG_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK
LOG_FILE_MODE = 0o640
"""Permission bits of a new log file, which has the names of files and accounts."""
POLL_MILLISECONDS = 1000
PRIORITIES = {
    LogLevel.debug.name: syslog.LOG_DEBUG,
    LogLevel.info.name: syslog.LOG_INFO,
    LogLevel.warn.name: syslog.LOG_WARNING,
    LogLevel.error.name: syslog.LOG_ERR,
    LogLevel.critical.name: syslog.LOG_CRIT,
}


class LogSink(Protocol):
    """A destination of log lines."""

    def text_of(self, event: LogEvent) -> str | None:
        """Return an event as text with its line end; None for an event without text."""

    def write(self, entries: Sequence[LogEntry]) -> None:
        """Write entries; raises `OSError`.

        The next call, with more entries or none, continues after what was written.
        """

    def give_up(self) -> int:
        """Discard what could not be written; returns the number of lines."""

    def reopen(self) -> str:
        """Reopen the file; returns a line for the log, or an empty string."""

    def close(self) -> None:
        """Close what the sink has opened."""


class StreamSink:
    """A descriptor that the sink does not own, such as standard output.

    ``level_prefix``: each entry begins with its level, for systemd's journal (sd-daemon(3)).
    """

    def __init__(
        self,
        descriptor: int,
        level_prefix: bool = False,
        text_of: TextFormat = text_line,
    ) -> None:
        self._descriptor = descriptor
        self._level_prefix = level_prefix
        self.text_of = text_of
        self._rest = b""

    def write(self, entries: Sequence[LogEntry]) -> None:
        """Write; wait with poll(2) if the descriptor is nonblocking."""
        text = "".join(map(self._with_level, entries))
        self._rest += text.encode("utf-8", "backslashreplace")
        while self._rest:
            try:
                self._rest = self._rest[os.write(self._descriptor, self._rest) :]
            except BlockingIOError:
                poll = select.poll()
                poll.register(self._descriptor, select.POLLOUT)
                if not poll.poll(POLL_MILLISECONDS):
                    raise

    def _with_level(self, entry: LogEntry) -> str:
        level, text = entry
        return f"<{PRIORITIES.get(level, syslog.LOG_INFO)}>{text}" if self._level_prefix else text

    def give_up(self) -> int:
        """Discard what could not be written."""
        lost, self._rest = self._rest.count(b"\n"), b""
        return lost

    def reopen(self) -> str:
        """Return that there is no file."""
        return "SIGUSR1: the log goes to standard output, there is no file to reopen"

    def close(self) -> None:
        """Leave the descriptor open."""


class FileSink(StreamSink):
    """A file; raises `OSError` if it cannot be opened.

    ``owner`` is the user that the process will become: a file that root creates is given to that
    user, who could not reopen it otherwise.
    """

    def __init__(
        self,
        path: str,
        owner: Owner = NO_CHANGE,
        text_of: TextFormat = text_line,
    ) -> None:
        self._path = os.path.abspath(path)
        super().__init__(_opened(self._path, owner), text_of=text_of)

    def reopen(self) -> str:
        """Write to the file that has the name now; keep the old one if it cannot be opened."""
        try:
            descriptor = _opened(self._path, NO_CHANGE)
        except OSError as error:
            reason = error_text(error)
            return f"cannot reopen {self._path}: {reason}; the old file stays in use"
        former, self._descriptor = self._descriptor, descriptor
        os.close(former)
        return ""

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


def _opened(path: str, owner: Owner) -> int:
    """Open a log file; a FIFO without a reader is an error (O_NONBLOCK)."""
    with suppress(FileExistsError):
        descriptor = os.open(path, LOG_FLAGS | os.O_CREAT | os.O_EXCL, LOG_FILE_MODE)
        if owner != NO_CHANGE:
            os.fchown(descriptor, *owner)
        return descriptor
    descriptor = _opened_existing(path, owner, os.O_CREAT)
    os.set_blocking(descriptor, True)
    with suppress(OSError):
        give_to(owner, path)
    return descriptor


def _opened_existing(path: str, owner: Owner, flags: int = 0) -> int:
    """Open a log file whose name is taken; it may be that of a link to a missing file."""
    is_shared = owner != NO_CHANGE and not _is_private(os.path.dirname(path))
    flags |= LOG_FLAGS | (os.O_NOFOLLOW if is_shared else 0)
    descriptor = os.open(path, flags, LOG_FILE_MODE)
    if is_shared and os.fstat(descriptor).st_nlink > 1:
        os.close(descriptor)
        raise OSError(errno.EMLINK, "it has other names, and others may write to its directory")
    return descriptor


def check_log_file(path: str, owner: Owner = NO_CHANGE) -> None:
    """Raise the `OSError` with which `FileSink` could not open a file; creates nothing."""
    if not os.path.lexists(path):
        require_place(path)
        return
    try:
        os.close(_opened_existing(path, owner))
    except FileNotFoundError:
        require_place(os.path.realpath(path))


def _is_private(directory: str) -> bool:
    """Return whether only this user can put a link to another file into a directory."""
    status = os.stat(directory)
    return status.st_uid == os.geteuid() and not status.st_mode & 0o022


class SyslogSink:
    """syslog(3), with the levels; it adds the times itself. ``json``: each message is an object."""

    def __init__(self, prefix: str, json: bool = False) -> None:
        self._json = json
        syslog.openlog(prefix, syslog.LOG_PID, syslog.LOG_DAEMON)

    def text_of(self, event: LogEvent) -> str | None:
        """Return an event without its time, or as an object that has it."""
        if self._json:
            return json_line(event)
        text = eventAsText(event, includeTimestamp=False)
        return f"{text}\n" if text else None

    def write(self, entries: Sequence[LogEntry]) -> None:
        """Write each line as a message."""
        for level, text in entries:
            for line in text.encode("utf-8", "backslashreplace").decode().splitlines():
                syslog.syslog(PRIORITIES.get(level, syslog.LOG_INFO), line.replace("\0", "\\x00"))

    def give_up(self) -> int:
        """Return 0: nothing is kept."""
        return 0

    def reopen(self) -> str:
        """Return that there is no file."""
        return "SIGUSR1: the log goes to syslog, there is no file to reopen"

    def close(self) -> None:
        """Close the socket."""
        syslog.closelog()


def is_journal(descriptor: int, environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether a descriptor is systemd's journal (systemd.exec(5), JOURNAL_STREAM)."""
    status = os.fstat(descriptor)
    return environment.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
