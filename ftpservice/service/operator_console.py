"""Says things to whoever started the service, at a terminal or by way of the log."""

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
    """What lines are written to."""

    @property
    def encoding(self) -> str:
        """The encoding of what is written."""

    def write(self, text: str, /) -> object:
        """Write a text."""

    def flush(self) -> object:
        """Have it written now."""


class OperatorConsole:
    """Writes plain lines to the terminal, where there is one, and to the log, where it is apart.

    ``out`` and ``err`` are the process's own: ``twistd`` turns ``sys.stdout`` into the log.
    ``kept`` is a terminal of which only the start is told; it is closed by ``release``.
    ``manager`` is the service manager, if there is one.
    """

    def __init__(
        self,
        out: TextStream | None,
        err: TextStream | None,
        logged: bool,
        kept: TextIO | None = None,
    ) -> None:
        self._out = out
        self._err = err
        self._logged = logged
        self._kept = kept
        self.manager = ServiceManager({})
        self.is_part = False
        """Whether another program has the service, and learns of a failed start by exceptions."""

    @property
    def is_daemon_terminal(self) -> bool:
        """Whether it has the terminal of whoever started a daemon."""
        return self._kept is not None

    def tell(self, lines: Iterable[str]) -> None:
        """Say what is going on."""
        for line in lines:
            if self._logged:
                log.info("{line}", line=line)
            _write(self._out, line)

    def complain(self, line: str) -> bool:
        """Say what went wrong; tells whether somebody at a terminal has read it."""
        if self._logged:
            log.error("{line}", line=line)
        heard = [_write(stream, f"ftpservice: {line}") for stream in (self._err, self._kept)]
        return any(heard)

    def release(self) -> None:
        """Let go of the terminal of whoever started a daemon: it has started, or failed to."""
        kept, self._kept = self._kept, None
        if kept is not None:
            with suppress(OSError):
                kept.close()


def console_for(
    program: Mapping[str, Any] | None, logs: LogWriters | None = None
) -> OperatorConsole:
    """Return the console under twistd with the options ``program``, beside its ``logs``.

    Without one the service is part of another program, which learns of failures by exceptions. A
    daemon loses its standard streams before it listens, so its terminal is kept until then.
    """
    if program is None:
        part = OperatorConsole(None, None, logged=True)
        part.is_part = True
        return part
    console = _console_under(program, logs or LogWriters())
    console.manager = ServiceManager()
    return console


def _console_under(program: Mapping[str, Any], logs: LogWriters) -> OperatorConsole:
    if not program.get("nodaemon"):
        return OperatorConsole(None, None, logged=True, kept=_duplicate(sys.__stderr__))
    out, err = logs.terminal, logs.errors
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
    """Write a line; a terminal that is gone, or knows fewer letters, is no reason to fail."""
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
