"""Messages to the operator: at the terminal of the process, and in the log."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, Protocol, TextIO

from twisted.logger import Logger, LogLevel

from ftpservice.service.log.setup import LogWriters, LogWriterStream
from ftpservice.service.sd_notify import ServiceManager

__all__ = ["OperatorConsole", "console_for"]

log = Logger("ftpservice")


class TextStream(Protocol):
    """A stream for lines of text."""

    @property
    def encoding(self) -> str:
        """The encoding of what is written."""

    def write(self, text: str, /) -> object:
        """Write text."""

    def flush(self) -> object:
        """Write what is buffered."""


class OperatorConsole:
    """Writes plain lines to the terminal, if there is one, and to the log, if that is separate.

    ``out`` and ``err`` are the streams of the process: ``twistd`` redirects ``sys.stdout`` to the
    log. ``daemon_terminal`` is the terminal from which a daemon was started; it gets errors until
    `close_daemon_terminal`. ``manager`` notifies the service manager.
    """

    def __init__(
        self,
        out: TextStream | None,
        err: TextStream | None,
        logged: bool,
        daemon_terminal: TextIO | None = None,
    ) -> None:
        self._out = out
        self._err = err
        self._logged = logged
        self._daemon_terminal = daemon_terminal
        self.manager = ServiceManager({})
        self.is_embedded = False
        """Whether another program runs the service, which gets a failed start as an exception."""

    @property
    def is_daemon_terminal(self) -> bool:
        """Whether the terminal from which a daemon was started is open."""
        return self._daemon_terminal is not None

    def write_lines(self, lines: Iterable[str]) -> None:
        """Report what happens."""
        for line in lines:
            if self._logged:
                log.info("{line}", line=line)
            _write(self._out, line)

    def write_error(self, line: str) -> bool:
        """Report an error; returns whether it was written to a terminal."""
        if self._logged:
            log.error("{line}", line=line)
        streams = (self._err, self._daemon_terminal)
        written = [_write(stream, f"ftpservice: {line}") for stream in streams]
        return any(written)

    def close_daemon_terminal(self) -> None:
        """Close the terminal from which a daemon was started: it has started, or failed to."""
        terminal, self._daemon_terminal = self._daemon_terminal, None
        if terminal is not None:
            with suppress(OSError):
                terminal.close()


def console_for(
    program: Mapping[str, Any] | None, logs: LogWriters | None = None
) -> OperatorConsole:
    """Return the console for ``program``, the options of twistd, and its ``logs``.

    Without ``program`` the service is embedded in another program, which gets a failed start as
    an exception. A daemon loses its standard streams before it binds its listeners, so its
    terminal is kept open until then.
    """
    if program is None:
        embedded = OperatorConsole(None, None, logged=True)
        embedded.is_embedded = True
        return embedded
    console = _console_under(program, logs or LogWriters())
    console.manager = ServiceManager()
    return console


def _console_under(program: Mapping[str, Any], logs: LogWriters) -> OperatorConsole:
    if not program.get("nodaemon"):
        terminal = _duplicate(sys.__stderr__)
        return OperatorConsole(None, None, logged=True, daemon_terminal=terminal)
    out, err = logs.terminal, logs.errors
    if logs.json and not logs.is_separate:  # plain lines would be no JSON
        return OperatorConsole(None, None, logged=True)
    return OperatorConsole(
        LogWriterStream(out, LogLevel.info.name) if out is not None else sys.__stdout__,
        LogWriterStream(err, LogLevel.error.name) if err is not None else sys.__stderr__,
        logged=logs.is_separate,
    )


def _duplicate(stream: TextIO | None) -> TextIO | None:
    if stream is None:
        return None
    try:
        return open(os.dup(stream.fileno()), "w", encoding=stream.encoding or "utf-8")
    except (OSError, ValueError):
        return None


def _write(stream: TextStream | None, line: str) -> bool:
    """Write a line; a closed terminal or a limited encoding is not an error."""
    if stream is None:
        return False
    try:
        encoding = stream.encoding or "utf-8"
        text = line.encode(encoding, "backslashreplace").decode(encoding)
        stream.write(text + "\n")
        stream.flush()
    except (OSError, ValueError):
        return False
    return True
