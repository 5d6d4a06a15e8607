"""The command ``ftpservice-client``; the one place that knows which reactor it is.

prompt_toolkit runs on asyncio, so the reactor does too, on a loop that both share. Everything else
is the same for shell, script and single command: one coroutine, an exit status, and signals that
cancel what runs.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.defer import Deferred
from twisted.internet.main import installReactor
from twisted.python.failure import Failure

from ftpservice_client.console.program import Program
from ftpservice_client.console.session.arguments import PROGRAM_NAME
from ftpservice_client.console.session.exit_status import (
    INTERNAL_ERROR_STATUS,
    error_text,
    exit_status_for,
)
from ftpservice_client.console.terminal.escape import escape_unprintable

__all__ = ["main"]

BROKEN_PIPE_STATUS = 141
"""The status when whoever reads the output has gone, as a shell tells of SIGPIPE."""
SIGNAL_STATUS_BASE = 128
CONNECTION_RESET_SECONDS = 0.1
"""Seconds in which connections are reset that were broken off. Who exits at once closes them as if
all had been said, and half an upload is taken for a whole one."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Do what the command line says; ends the process."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    reactor = AsyncioSelectorReactor(loop)
    installReactor(reactor)
    run = ProgramRun(reactor, loop)
    reactor.callWhenRunning(run.begin, words)
    reactor.run(installSignalHandlers=False)
    loop.close()
    _exit(run.status)


class ProgramRun:
    """One run of the program, from its start to its status."""

    def __init__(self, reactor: AsyncioSelectorReactor, loop: asyncio.AbstractEventLoop) -> None:
        self.status = 0
        self._reactor = reactor
        self._loop = loop
        self._program = Program(reactor, loop)
        self._work: Deferred[int] | None = None
        self._signal: int | None = None

    def begin(self, words: Sequence[str]) -> None:
        """Start; the reactor stops when all is done."""
        self._loop.add_signal_handler(signal.SIGINT, self._program.interrupt)
        for number in (signal.SIGTERM, signal.SIGHUP):
            self._loop.add_signal_handler(number, self._end, number)
        self._work = Deferred.fromCoroutine(self._program.run(words))
        self._work.addCallbacks(self._done, self._failed).addBoth(self._leave)

    def _end(self, number: int) -> None:
        """Cancel everything, whatever it is."""
        if self._work is not None and self._signal is None:
            self._signal = number
            self._work.cancel()

    def _done(self, status: int) -> None:
        self.status = status

    def _failed(self, failure: Failure) -> None:
        error = failure.value
        assert error is not None
        self.status = exit_status_for(error)
        if isinstance(error, SystemExit):  # argparse, after its help
            self.status = int(error.code or 0)
        elif isinstance(error, BrokenPipeError) or isinstance(error.__cause__, BrokenPipeError):
            self.status = BROKEN_PIPE_STATUS
        elif self._signal is None:
            sys.stderr.write(f"{PROGRAM_NAME}: {escape_unprintable(error_text(error))}\n")
            if self.status == INTERNAL_ERROR_STATUS:
                failure.printTraceback(sys.stderr)

    def _leave(self, _result: object) -> None:
        """Stop; where a thread still waits for input that nobody wants any more, do not wait."""
        if self._signal is not None:
            self.status = SIGNAL_STATUS_BASE + self._signal
        if self.status > SIGNAL_STATUS_BASE:
            self._reactor.callLater(CONNECTION_RESET_SECONDS, _exit, self.status)
        else:
            self._reactor.stop()


def _exit(status: int) -> NoReturn:
    """End the process at once: taking the interpreter apart takes as long as a small transfer."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    os._exit(status)
