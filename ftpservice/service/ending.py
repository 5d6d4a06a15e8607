"""How the process ends: well by Ctrl-C or SIGTERM, with status 1 when it had to give up."""

from __future__ import annotations

import atexit
import os
import signal
import sys
from types import FrameType
from typing import Any

from twisted.internet.error import ReactorNotRunning

__all__ = ["give_up", "stop_on_signals"]


def stop_on_signals(reactor: Any) -> None:
    """Have SIGINT and SIGTERM stop ``reactor``; a second one ends the process at once.

    The process then ends with status 0, where twistd would kill itself by the same signal.
    """

    def caught(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - signal calls it so
        signal.signal(number, signal.SIG_DFL)
        reactor.callFromThread(_stop, reactor)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, caught)


def give_up(reactor: Any) -> None:
    """Stop a reactor that runs or is about to; the process ends with status 1.

    ``twistd`` has no status of its own for a service that fails after its start.
    """
    atexit.register(_exit_with_failure)
    reactor.callWhenRunning(_stop, reactor)


def _stop(reactor: Any) -> None:
    try:
        reactor.stop()
    except ReactorNotRunning:
        return


def _exit_with_failure() -> None:
    for stream in (sys.__stdout__, sys.__stderr__):
        if stream is not None:
            stream.flush()
    os._exit(1)
