"""What signals do: Ctrl-C and SIGTERM end the process well, SIGHUP only has files read anew.

SIGUSR1 has the log file opened anew.

A process that had to give up ends with status 1.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from twisted.internet.error import ReactorNotRunning

__all__ = ["exit_with_failure", "reload_on_sighup", "reopen_on_sigusr1", "stop_on_signals"]

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def stop_on_signals(reactor: Any, hurry: Callable[[], object]) -> None:
    """Have SIGINT and SIGTERM stop ``reactor``; at a second one ``hurry`` is called.

    Then the process ends with status 0, where twistd would kill itself by the same signal, and not
    before the threads have ended what they have begun. A third ends it at once.
    """
    steps = iter((lambda: _stop(reactor), hurry))

    def caught(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - signal calls it so
        step = next(steps, None)
        if step is not None:
            reactor.callFromThread(step)
            return
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)

    for number in STOP_SIGNALS:
        signal.signal(number, caught)


def reload_on_sighup(reactor: Any, renew: Callable[[], object]) -> None:
    """Have SIGHUP call ``renew``, and do nothing else."""

    def caught(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - signal calls it so
        reactor.callFromThread(renew)

    signal.signal(signal.SIGHUP, caught)


def reopen_on_sigusr1(reactor: Any, reopen: Callable[[], object]) -> None:
    """Have SIGUSR1 call ``reopen``, unless somebody else has a use for that signal."""

    def caught(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - signal calls it so
        reactor.callFromThread(reopen)

    if signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL:
        signal.signal(signal.SIGUSR1, caught)


def exit_with_failure(reactor: Any, last: Callable[[], object]) -> None:
    """Stop a reactor that runs or is about to; the process calls ``last``, ends with status 1.

    ``twistd`` has no status of its own for a service that fails after its start.
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
