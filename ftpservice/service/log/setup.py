"""Which log the options of ``twistd`` ask for; what is written to it never stops the service."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TextIO

from ftpservice.service.log.sinks import FileSink, StreamSink, SyslogSink, is_journal
from ftpservice.service.log.writer import LogWriter
from ftpservice.service.settings.directories import Owner
from ftpservice.service.settings.errors import CannotStart, error_text

__all__ = ["LogWriterStream", "LogWriters", "logs_for"]

DAEMONS_FILE = "twistd.log"
STANDARD_OUTPUT = "-"


@dataclass(frozen=True)
class LogWriters:
    """What is written by threads of its own."""

    log: LogWriter | None = None
    """The log's; None where somebody else keeps it."""
    terminal: LogWriter | None = None
    """Standard output's; the same as ``log`` if that goes there."""
    errors: LogWriter | None = None
    """Standard error's."""

    @property
    def is_separate(self) -> bool:
        """Whether the log goes elsewhere than to standard output."""
        return self.log is not self.terminal or self.log is None

    def start(self) -> None:
        """Begin to write; the process no longer forks."""
        for writer in self._writers():
            writer.start()

    def reopen(self) -> None:
        """Open the log file by its name again (SIGUSR1)."""
        if self.log is not None:
            self.log.reopen()

    def close(self) -> None:
        """Write what waits, and no more."""
        for writer in self._writers():
            writer.close()

    def _writers(self) -> Iterable[LogWriter]:
        return {
            id(one): one for one in (self.log, self.terminal, self.errors) if one is not None
        }.values()


class LogWriterStream:
    """A text stream whose lines a `LogWriter` takes, as events of a level."""

    encoding = "utf-8"

    def __init__(self, writer: LogWriter, level: str) -> None:
        self._writer = writer
        self._level = level

    def write(self, text: str) -> None:
        """Take text that ends with a line end."""
        self._writer.put(text, self._level)

    def flush(self) -> None:
        """Return at once: the writer's thread writes as soon as it can."""


def logs_for(program: Mapping[str, Any] | None, log_file: str | None, owner: Owner) -> LogWriters:
    """Return the logs for twistd's options, ``log_file`` before its own; raises `CannotStart`.

    Without ``program`` the service is part of another program, which keeps its log itself.
    """
    if program is None:
        return LogWriters()
    foreground = bool(program.get("nodaemon"))
    terminal = _terminal(sys.__stdout__) if foreground else None
    errors = _terminal(sys.__stderr__) if foreground else None
    if terminal is not None and errors is not None and _are_one(sys.__stdout__, sys.__stderr__):
        errors = terminal  # two threads would write into each other's lines
    return LogWriters(_log(program, log_file, owner, terminal), terminal, errors)


def _log(
    program: Mapping[str, Any], log_file: str | None, owner: Owner, terminal: LogWriter | None
) -> LogWriter | None:
    if program.get("logger") is not None:
        return None
    path = log_file or program.get("logfile")
    if log_file is None and program.get("syslog"):
        return LogWriter(SyslogSink(program.get("prefix") or "ftpservice"))
    if path in (None, "", STANDARD_OUTPUT) and program.get("nodaemon"):
        return terminal
    if path == STANDARD_OUTPUT:
        return None  # twistd says that a daemon has none
    return LogWriter(_file(path or DAEMONS_FILE, owner))


def _terminal(stream: TextIO | None) -> LogWriter | None:
    try:
        number = stream.fileno() if stream is not None else -1
        return LogWriter(StreamSink(number, is_journal(number))) if stream is not None else None
    except (OSError, ValueError):  # it is no file, or closed
        return None


def _are_one(first: TextIO | None, second: TextIO | None) -> bool:
    """Tell whether two streams lead to one pipe, terminal or file (``2>&1``)."""
    if first is None or second is None:
        return False
    return os.path.sameopenfile(first.fileno(), second.fileno())


def _file(path: str, owner: Owner) -> FileSink:
    try:
        return FileSink(path, owner)
    except OSError as error:
        raise CannotStart(f"cannot write the log {path}: {error_text(error)}") from None
