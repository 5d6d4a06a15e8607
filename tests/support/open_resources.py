"""Resource leaks of a test: descriptors, connections, timers, logged errors."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.logger import LogEvent, LogLevel, formatEvent, globalLogPublisher

__all__ = ["LoggedErrors", "OpenResources", "nothing_left", "until"]

PATIENCE = 30.0
"""Timeout in seconds."""


async def until(condition: Callable[[], Any], what: Callable[[], object]) -> None:
    """Let the reactor run until a condition holds."""
    deadline = reactor.seconds() + PATIENCE
    while not condition():
        assert reactor.seconds() < deadline, what()
        await deferLater(reactor, 0.002, lambda: None)


class OpenResources:
    """A snapshot of descriptors, connections and timers."""

    def __init__(self) -> None:
        self.descriptors = Counter(_descriptors())
        self.selectables = Counter(map(id, reactor.getReaders() + reactor.getWriters()))
        self.calls = reactor.getDelayedCalls()

    def leaks(self) -> dict[str, object]:
        """Return what is open now and was not at the snapshot; empty without leaks."""
        now = OpenResources()
        live = {id(one): one for one in reactor.getReaders() + reactor.getWriters()}
        known_calls = {id(call) for call in self.calls}
        found = {
            "descriptors": sorted((now.descriptors - self.descriptors).elements()),
            "connections": [live[key] for key in now.selectables - self.selectables],
            "timers": [str(c) for c in reactor.getDelayedCalls() if id(c) not in known_calls],
        }
        return {kind: things for kind, things in found.items() if things}


@asynccontextmanager
async def nothing_left() -> AsyncIterator[None]:
    """Let the reactor run at the end until what was opened since the beginning is closed."""
    before = OpenResources()
    yield
    await until(lambda: not before.leaks(), before.leaks)


def _descriptors() -> list[str]:
    found = []
    for number in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{number}")
        except OSError:
            continue
        if target != os.devnull and not target.startswith("/proc/"):  # Twisted keeps one in reserve
            found.append(target)
    return found


class LoggedErrors:
    """Collects logged errors."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __enter__(self) -> LoggedErrors:
        globalLogPublisher.addObserver(self)
        return self

    def __exit__(self, *exception: object) -> None:
        globalLogPublisher.removeObserver(self)

    def __call__(self, event: LogEvent) -> None:
        """Observe a log event."""
        failure = event.get("log_failure")
        if failure is not None or event.get("log_level") in (LogLevel.error, LogLevel.critical):
            trace = "" if failure is None else failure.getTraceback()
            self.lines.append(f"{formatEvent(event)}\n{trace}")
