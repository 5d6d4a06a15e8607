"""What a test leaves behind that it should not: descriptors, connections, timers, errors."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.logger import LogEvent, LogLevel, formatEvent, globalLogPublisher

__all__ = ["Complaints", "Holdings", "until"]

PATIENCE = 10.0
"""Seconds after which something that should happen will not."""


async def until(condition: Callable[[], Any], what: Callable[[], object]) -> None:
    """Wait, a few turns of the reactor at a time, until something holds."""
    deadline = reactor.seconds() + PATIENCE
    while not condition():
        assert reactor.seconds() < deadline, what()
        await deferLater(reactor, 0.002, lambda: None)


class Holdings:
    """What the process has open at some moment."""

    def __init__(self) -> None:
        self.descriptors = Counter(_descriptors())
        self.selectables = Counter(map(id, reactor.getReaders() + reactor.getWriters()))
        self.calls = {id(call) for call in reactor.getDelayedCalls()}

    def more(self) -> dict[str, object]:
        """Return what is open now that was not then; empty when nothing is."""
        now = Holdings()
        live = {id(one): one for one in reactor.getReaders() + reactor.getWriters()}
        found = {
            "descriptors": sorted((now.descriptors - self.descriptors).elements()),
            "connections": [live[key] for key in now.selectables - self.selectables],
            "timers": [str(c) for c in reactor.getDelayedCalls() if id(c) not in self.calls],
        }
        return {kind: things for kind, things in found.items() if things}


def _descriptors() -> list[str]:
    found = []
    for number in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{number}")
        except OSError:
            continue
        if target != os.devnull and not target.startswith("/proc/"):  # one is kept in reserve
            found.append(target)
    return found


class Complaints:
    """Collects errors that are logged."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __enter__(self) -> Complaints:
        globalLogPublisher.addObserver(self)
        return self

    def __exit__(self, *exception: object) -> None:
        globalLogPublisher.removeObserver(self)

    def __call__(self, event: LogEvent) -> None:
        """Be told of a log event."""
        failure = event.get("log_failure")
        if failure is not None or event.get("log_level") in (LogLevel.error, LogLevel.critical):
            trace = "" if failure is None else failure.getTraceback()
            self.lines.append(f"{formatEvent(event)}\n{trace}")
