"""Says things to whoever started the service, at a terminal or by way of the log."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Any, TextIO

from twisted.logger import Logger

__all__ = ["Console", "console_for"]

log = Logger("ftpservice")


class Console:
    """Writes plain lines to the terminal, where there is one, and to the log, where it is apart.

    ``out`` and ``err`` are the process's own: ``twistd`` turns ``sys.stdout`` into the log.
    """

    def __init__(self, out: TextIO | None, err: TextIO | None, logged: bool) -> None:
        self._out = out
        self._err = err
        self._logged = logged

    def tell(self, lines: Iterable[str]) -> None:
        """Say what is going on."""
        for line in lines:
            if self._logged:
                log.info("{line}", line=line)
            _write(self._out, line)

    def complain(self, line: str) -> None:
        """Say what went wrong."""
        if self._logged:
            log.error("{line}", line=line)
        _write(self._err, f"ftpservice: {line}")


def console_for(program: Mapping[str, Any] | None) -> Console:
    """Return the console under twistd with the options ``program``; without one, the log only."""
    if program is None:
        return Console(None, None, logged=True)
    if not program.get("nodaemon"):
        return Console(None, sys.__stderr__, logged=True)
    apart = program.get("logfile") not in (None, "", "-")
    logged = apart or bool(program.get("syslog")) or program.get("logger") is not None
    return Console(sys.__stdout__, sys.__stderr__, logged)


def _write(stream: TextIO | None, line: str) -> None:
    """Write a line; a terminal that is gone, or knows fewer letters, is no reason to fail."""
    if stream is None:
        return
    try:
        encoding = stream.encoding or "utf-8"
        text = line.encode(encoding, "backslashreplace").decode(encoding)
        stream.write(text + "\n")
        stream.flush()
    except (OSError, ValueError):
        return
