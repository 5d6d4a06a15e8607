"""Timers that do not depend on the time of day, which a person or a time server may set."""

from __future__ import annotations

import time
from typing import Any

__all__ = ["use_steady_clock"]


def use_steady_clock(reactor: Any) -> None:
    """Let the reactor measure time with the monotonic clock; call it before the reactor runs.

    Twisted takes the time of day. If that is set back by an hour, every timer is late by an hour;
    if it is set ahead, every session is idle for too long. Timers that are there already would have
    another clock: then nothing is changed.
    """
    if reactor.seconds is time.time and not (reactor.running or reactor.getDelayedCalls()):
        reactor.seconds = time.monotonic
