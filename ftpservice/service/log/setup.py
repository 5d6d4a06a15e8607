"""Chooses the log by the options of ``twistd`` and the setting ``log-file``."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TextIO

from ftpservice.service.log.json_lines import json_line
from ftpservice.service.log.sinks import (
    FileSink,
    StreamSink,
    SyslogSink,
    TextFormat,
    check_log_file,
    is_journal,
)
from ftpservice.service.log.text_lines import text_line
from ftpservice.service.log.writer import LogWriter
from ftpservice.service.settings.directories import Owner
from ftpservice.service.settings.errors import CannotStart, error_text

__all__ = ["LogWriterStream", "LogWriters", "check_log", "logs_for"]

DAEMON_LOG_FILE = "twistd.log"
STANDARD_OUTPUT = "-"


@dataclass(frozen=True)
class LogWriters:
    """The writers of the log and of the standard streams; each has a thread."""

    log: LogWriter | None = None
    """Writes the log; None if another program does."""
    terminal: LogWriter | None = None
    """Writes to standard output; the same object as ``log`` if that goes there."""
    errors: LogWriter | None = None
    """Writes to standard error."""
    json: bool = False
    """Whether the log has JSON objects only, and messages to the operator are among them."""

    @property
    def is_separate(self) -> bool:
        """Whether the log does not go to standard output."""
        return self.log is not self.terminal or self.log is None

    def start(self) -> None:
        """Start the threads; the process must not fork afterwards."""
        for writer in self._writers():
            writer.start()

    def reopen(self) -> None:
        """Reopen the log file (SIGUSR1)."""
        if self.log is not None:
            self.log.reopen()

    def close(self) -> None:
        """Write what is queued, and end the threads."""
        for writer in self._writers():
            writer.close()

    def _writers(self) -> Iterable[LogWriter]:
        return {
            id(one): one for one in (self.log, self.terminal, self.errors) if one is not None
        }.values()


class LogWriterStream:
    """A text stream that writes to a `LogWriter`, with one level."""

    encoding = "utf-8"

    def __init__(self, writer: LogWriter, level: str) -> None:
        self._writer = writer
        self._level = level

    def write(self, text: str) -> None:
        """Write text that ends with a line end."""
        self._writer.put(text, self._level)

    def flush(self) -> None:
        """Do nothing: the thread writes as soon as it can."""


def logs_for(
    program: Mapping[str, Any] | None, log_file: str | None, owner: Owner, json: bool = False
) -> LogWriters:
    """Return the writers for the options of twistd; raises `CannotStart`.

    ``log_file`` overrides the log of ``program``; ``json`` is its format. Without ``program`` the
    service is embedded in another program, which writes the log itself.
    """
    if program is None:
        return LogWriters()
    foreground = bool(program.get("nodaemon"))
    terminal = _terminal(sys.__stdout__, json) if foreground else None
    errors = _terminal(sys.__stderr__, json) if foreground else None
    if terminal is not None and errors is not None and _are_same(sys.__stdout__, sys.__stderr__):
        errors = terminal  # two threads would mix their lines
    log = _log(program, log_file, owner, terminal, json)
    return LogWriters(log, terminal, errors, json)


def check_log(log_file: str | None, owner: Owner) -> None:
    """Raise the `CannotStart` of `logs_for` for the setting ``log-file``; creates nothing."""
    if log_file is not None:
        try:
            check_log_file(os.path.abspath(log_file), owner)
        except OSError as error:
            raise _unwritable(log_file, error) from None


def _log(
    program: Mapping[str, Any],
    log_file: str | None,
    owner: Owner,
    terminal: LogWriter | None,
    json: bool,
) -> LogWriter | None:
    if program.get("logger") is not None:
        return None
    path = log_file or program.get("logfile")
    if log_file is None and program.get("syslog"):
        return LogWriter(SyslogSink(program.get("prefix") or "ftpservice", json))
    if path in (None, "", STANDARD_OUTPUT) and program.get("nodaemon"):
        return terminal
    if path == STANDARD_OUTPUT:
        return None  # twistd reports that a daemon has no standard output
    return LogWriter(_file(path or DAEMON_LOG_FILE, owner, _format(json)))


def _format(json: bool) -> TextFormat:
    return json_line if json else text_line


def _terminal(stream: TextIO | None, json: bool) -> LogWriter | None:
    try:
        if stream is None:
            return None
        descriptor = stream.fileno()
        return LogWriter(StreamSink(descriptor, is_journal(descriptor), _format(json)))
    except (OSError, ValueError):  # not a file, or closed
        return None


def _are_same(first: TextIO | None, second: TextIO | None) -> bool:
    """Return whether two streams are one pipe, terminal or file (``2>&1``)."""
    if first is None or second is None:
        return False
    return os.path.sameopenfile(first.fileno(), second.fileno())


def _file(path: str, owner: Owner, text_of: TextFormat) -> FileSink:
    try:
        return FileSink(path, owner, text_of)
    except OSError as error:
        raise _unwritable(path, error) from None


def _unwritable(path: str, error: OSError) -> CannotStart:
    return CannotStart(
        f"cannot write the log {path}: {error_text(error)} - create its directory, change its "
        "owner or mode, or choose another --log-file"
    )
