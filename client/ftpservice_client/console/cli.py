"""The entry point of ``ftpservice-client``: reactor, signals and exit status.

prompt_toolkit needs asyncio, so with a terminal the reactor runs on an asyncio event loop; without
one it is Twisted's own, which takes less time. Shell, script and one-shot command are one coroutine
each; signals cancel it.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NoReturn

from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.defer import Deferred
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.main import installReactor
from twisted.python.failure import Failure

from ftpservice_client.console.program import Program
from ftpservice_client.console.session.command_line import PROGRAM_NAME
from ftpservice_client.console.session.exit_status import (
    INTERNAL_ERROR_STATUS,
    error_text,
    exit_status_for,
)
from ftpservice_client.console.terminal.escape import escape_unprintable

__all__ = ["main"]

SIGNAL_STATUS_BASE = 128
BROKEN_PIPE_STATUS = SIGNAL_STATUS_BASE + signal.SIGPIPE
"""The reader of standard output has closed it."""
CONNECTION_RESET_SECONDS = 0.1
"""Time for the reactor to reset (RST) aborted connections before the process exits.

The exit of the process would close them with a FIN, and the server would take an incomplete upload
for a complete one."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the program and exit with its status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    loop = asyncio.new_event_loop() if _has_terminal() else None
    reactor: Any = EPollReactor() if loop is None else AsyncioSelectorReactor(loop)
    asyncio.set_event_loop(loop)
    installReactor(reactor)
    gc.freeze()  # collections need not look at what was imported, which stays
    run = ProgramRun(reactor, loop)
    reactor.callWhenRunning(run.start, words)
    # With Twisted's handlers, a signal wakes the reactor; `ProgramRun.start` replaces them.
    reactor.run(installSignalHandlers=loop is None)
    _exit(run.status)


def _has_terminal() -> bool:
    """Return whether the program may ask questions."""
    return sys.stdin.isatty() and (sys.stdout.isatty() or sys.stderr.isatty())


class ProgramRun:
    """One run of the program under the reactor; ``status`` is its exit status."""

    def __init__(self, reactor: Any, loop: asyncio.AbstractEventLoop | None) -> None:
        self.status = 0
        self._reactor = reactor
        self._loop = loop
        self._program = Program(reactor, loop)
        self._work: Deferred[int] | None = None
        self._signal: int | None = None

    def start(self, words: Sequence[str]) -> None:
        """Start the program; the reactor stops when it has ended."""
        self._handle(signal.SIGINT, self._program.interrupt)
        for number in (signal.SIGTERM, signal.SIGHUP):
            self._handle(number, self._cancel, number)
        self._work = Deferred.fromCoroutine(self._program.run(words))
        self._work.addCallbacks(self._succeeded, self._failed).addBoth(self._stop)

    def _handle(self, number: int, function: Callable[..., object], *args: int) -> None:
        if self._loop is not None:
            self._loop.add_signal_handler(number, function, *args)
        else:
            signal.signal(number, lambda *_: self._reactor.callFromThread(function, *args))

    def _cancel(self, number: int) -> None:
        if self._work is not None and self._signal is None:
            self._signal = number
            self._work.cancel()

    def _succeeded(self, status: int) -> None:
        self.status = status

    def _failed(self, failure: Failure) -> None:
        error = failure.value
        assert error is not None
        self.status = exit_status_for(error)
        if isinstance(error, SystemExit):  # argparse has printed its help
            self.status = int(error.code or 0)
        elif isinstance(error, BrokenPipeError) or isinstance(error.__cause__, BrokenPipeError):
            self.status = BROKEN_PIPE_STATUS
        elif self._signal is None:
            sys.stderr.write(f"{PROGRAM_NAME}: {escape_unprintable(error_text(error))}\n")
            if self.status == INTERNAL_ERROR_STATUS:
                failure.printTraceback(sys.stderr)

    def _stop(self, _result: object) -> None:
        """Stop the reactor; after a signal, exit even while a thread waits for input."""
        if self._signal is not None:
            self.status = SIGNAL_STATUS_BASE + self._signal
        if self.status > SIGNAL_STATUS_BASE:
            self._reactor.callLater(CONNECTION_RESET_SECONDS, _exit, self.status)
        else:
            self._reactor.stop()


def _exit(status: int) -> NoReturn:
    """Exit without finalizing the interpreter, which takes as long as a small transfer."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    os._exit(status)
