"""Signal handlers: SIGINT and SIGTERM stop, SIGHUP reads files again, SIGUSR1 reopens the log."""

from __future__ import annotations

import atexit
import os
import signal
import sys
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any

from twisted.internet.error import ReactorNotRunning

__all__ = [
    "HANDLED_SIGNALS",
    "accept_signals",
    "exit_with_failure",
    "reload_on_sighup",
    "reopen_on_sigusr1",
    "stop_on_signals",
]

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
HANDLED_SIGNALS = (*STOP_SIGNALS, signal.SIGHUP, signal.SIGUSR1)
"""They wait while one program replaces another in the process (`accept_signals`)."""


def stop_on_signals(
    reactor: Any, skip_grace: Callable[[], object], requested: Callable[[], object] = bool
) -> None:
    """Stop ``reactor`` on the first SIGINT or SIGTERM; call ``skip_grace`` on the second.

    The process exits with status 0 after the threads have finished the calls that they have
    begun; twistd's own handlers would kill the process with the same signal. A third signal kills
    it. ``requested`` is called at once on the first, in the signal handler.
    """
    steps = iter((lambda: _stop(reactor), skip_grace))

    def caught(number: int, _frame: FrameType | None) -> None:
        step = next(steps, None)
        if step is not None:
            requested()
            reactor.callFromThread(step)
            return
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)

    for number in STOP_SIGNALS:
        signal.signal(number, caught)


def reload_on_sighup(reactor: Any, reload: Callable[[], object]) -> None:
    """Call ``reload`` on SIGHUP."""
    _call_on(signal.SIGHUP, reactor, reload)


def reopen_on_sigusr1(reactor: Any, steps: Iterable[Callable[[], object]]) -> None:
    """Call each of ``steps`` on SIGUSR1, unless the signal has a handler."""

    def reopen() -> None:
        for step in steps:
            step()

    if signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL:
        _call_on(signal.SIGUSR1, reactor, reopen)


def _call_on(number: int, reactor: Any, function: Callable[[], object]) -> None:
    def caught(_number: int, _frame: FrameType | None) -> None:
        reactor.callFromThread(function)

    signal.signal(number, caught)


def accept_signals() -> None:
    """Have the handlers called for signals that were sent while there were none."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED_SIGNALS)


def exit_with_failure(reactor: Any, last: Callable[[], object]) -> None:
    """Stop a reactor that runs or will run; then call ``last`` and exit with status 1.

    ``twistd`` exits with status 0 if a service fails after its start.
    """
    atexit.register(_exit_with_failure, last)
    reactor.callWhenRunning(_stop, reactor)


def _stop(reactor: Any) -> None:
    try:
        reactor.stop()
    except ReactorNotRunning:
        return


def _exit_with_failure(last: Callable[[], object]) -> None:
    last()
    for stream in (sys.__stdout__, sys.__stderr__):
        if stream is not None:
            stream.flush()
    os._exit(1)
