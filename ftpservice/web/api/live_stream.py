"""Server-sent events for the page: one snapshot, then a delta a second, encoded once for all.

In a cluster they have the sessions of all nodes, each with its ``node``, and what is known of them.
There is a timer while somebody listens. A listener that does not read gets no deltas, and a new
snapshot when it reads again: what waits for it is bounded.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from zope.interface import implementer

from ftpservice.activity.live.live_changes import LiveChanges, Row, RowKey, add_rows
from ftpservice.web.api.api_parts import ApiParts
from ftpservice.web.http.problems import Problem
from ftpservice.web.http.web_request import WebRequest

__all__ = ["LiveStream"]

log = Logger("ftpservice.web")

TICK_SECONDS = 1.0
CHECK_TICKS = 5
"""Ticks between two checks whether a listener still may listen."""
MAX_LISTENERS = 50


@implementer(IPushProducer)
class LiveListener:
    """One browser; ``may_listen`` is asked now and then."""

    def __init__(self, request: WebRequest, may_listen: Callable[[], Awaitable[bool]]) -> None:
        self.request = request
        self.may_listen = may_listen
        self.is_paused = False
        self.needs_snapshot = True

    def pauseProducing(self) -> None:
        """Send nothing more for now."""
        self.is_paused = True

    def resumeProducing(self) -> None:
        """Send again, from a new snapshot on."""
        self.is_paused, self.needs_snapshot = False, True

    def stopProducing(self) -> None:
        """Do nothing: the end of the request is reported elsewhere."""


class LiveStream:
    """The listeners, and what they were sent last."""

    def __init__(self, parts: ApiParts, clock: Any) -> None:
        self._parts = parts
        self._listeners: list[LiveListener] = []
        self._changes = LiveChanges()
        self._last_event = 0
        self._ticks = 0
        self._timer = LoopingCall(self._tick)
        self._timer.clock = clock

    def listen(self, request: WebRequest, may_listen: Callable[[], Awaitable[bool]]) -> None:
        """Send events on a request until its client closes it; raises `Problem`."""
        if len(self._listeners) >= MAX_LISTENERS:
            raise Problem(503, f"There are {MAX_LISTENERS} listeners already.")
        listener = LiveListener(request, may_listen)
        request.notifyFinish().addBoth(lambda _end: self._remove(listener))
        request.setHeader(b"Content-Type", b"text/event-stream")
        request.setHeader(b"X-Accel-Buffering", b"no")
        request.registerProducer(listener, True)
        if not self._listeners:
            if self._parts.nodes is not None:
                self._parts.nodes.begin()
            self._look()
            self._last_event = self._parts.past.recent.last_number
        self._listeners.append(listener)
        listener.needs_snapshot = False
        request.write(self._snapshot())
        if not self._timer.running:
            started = self._timer.start(TICK_SECONDS, now=False)
            started.addErrback(lambda failure: log.failure("the live events failed", failure))

    def stop(self) -> None:
        """Stop the timer, and watch the other nodes no more."""
        if self._timer.running:
            self._timer.stop()
        if self._parts.nodes is not None:
            self._parts.nodes.end()

    def _remove(self, listener: LiveListener) -> None:
        if listener in self._listeners:
            self._listeners.remove(listener)
        if not self._listeners:
            self.stop()

    def _look(self) -> dict[str, Any]:
        """Return the sessions that are new or have changed, the ended ones, and new progress."""
        rows: dict[RowKey, Row] = {}
        moved: dict[str, int] = {}
        nodes = self._parts.nodes
        add_rows(self._parts.live.rows(), rows, moved, "" if nodes is None else nodes.own)
        if nodes is not None:
            nodes.add_to(rows, moved)
        return self._changes.replace(rows, moved)

    def _of_nodes(self) -> dict[str, Any]:
        """Return what is known of the other nodes; nothing without a cluster."""
        nodes = self._parts.nodes
        if nodes is None:
            return {}
        return {"node": nodes.own, "nodes": nodes.names, "away": nodes.away}

    def _tick(self) -> None:
        """Send what has changed."""
        self._ticks += 1
        delta = self._look()
        events = self._parts.past.recent.after(self._last_event)
        self._last_event = self._parts.past.recent.last_number
        nodes = self._parts.nodes
        elsewhere = {} if nodes is None else {"elsewhere": nodes.counts(), **self._of_nodes()}
        more = {"events": events, **elsewhere, "now": self._parts.seconds()}
        data = _encoded("delta", delta | more)
        snapshot = b""
        for listener in tuple(self._listeners):
            if self._ticks % CHECK_TICKS == 0:
                self._check(listener)
            if listener.is_paused or listener not in self._listeners:
                continue
            if listener.needs_snapshot:
                snapshot = snapshot or self._snapshot()
                listener.needs_snapshot = False
                listener.request.write(snapshot)
            else:
                listener.request.write(data)

    def _snapshot(self) -> bytes:
        """Return what the deltas from now on change."""
        snapshot = {
            **self._changes.snapshot,
            **self._of_nodes(),
            "now": self._parts.seconds(),
            "started": self._parts.started,
            "last": self._parts.past.recent.last_number,
        }
        return _encoded("snapshot", snapshot)

    def _check(self, listener: LiveListener) -> None:
        """End a listener whose login has ended."""

        async def check() -> None:
            if not await listener.may_listen() and listener in self._listeners:
                listener.request.unregisterProducer()
                listener.request.finish()

        checking = Deferred.fromCoroutine(check())
        checking.addErrback(lambda failure: log.failure("a listener cannot be checked", failure))


def _encoded(kind: str, value: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps(value, separators=(',', ':'))}\n\n".encode()
