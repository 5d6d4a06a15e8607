"""Traces of sessions that workers serve: each worker sends the records of its own sessions.

The first record of a trace says that it has begun. It is sent when every worker that was asked has
begun, so that whoever reads it misses no command that follows; a worker that hangs is not waited
for longer than `BEGIN_SECONDS`.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from twisted.internet.interfaces import IReactorTime

from ftpservice.activity.admin_actions import BadRequest
from ftpservice.activity.trace.trace_feed import TRACE_VERSION
from ftpservice.concurrency.timers import Deadline
from ftpservice.workers.remote_sessions import Send

__all__ = ["RemoteTraces"]

BEGIN_SECONDS = 2.0

Record = dict[str, Any]


class RemoteTraces:
    """The traces that run, of ``sessions``.

    ``broadcast`` tells all workers, and returns how many of them accept sessions.
    """

    def __init__(
        self, sessions: Mapping[int, Any], broadcast: Callable[..., int], clock: IReactorTime
    ) -> None:
        self._sessions = sessions
        self._broadcast = broadcast
        self._clock = clock
        self._numbers = itertools.count(1)
        self.running: dict[int, RemoteTrace] = {}

    def trace_for(self, request: Mapping[str, Any]) -> RemoteTrace:
        """Return the trace that a request asks for; raises `BadRequest`."""
        target, is_user = str(request.get("target") or ""), bool(request.get("is_user"))
        if not target:
            raise BadRequest("trace needs a session or an account")
        found = None if is_user else self._session(target)
        if found is None and target.isdecimal() and not is_user:
            raise BadRequest(f"there is no session {target}; --user if it is an account")
        hides_names = bool(request.get("redact_names"))
        if found is None:
            wanted = {"target": target, "is_user": True, "redact_names": hides_names}
            return self._trace(wanted, self._broadcast)
        number, session = found
        if session.context.peer.protocol != "ftp":
            raise BadRequest(f"session {number} does not use FTP, which can be traced")
        wanted = {"target": str(number), "is_user": False, "redact_names": hides_names}
        return self._trace(wanted, partial(_told_one, session.send))

    def _trace(self, wanted: Record, tell: Callable[..., int]) -> RemoteTrace:
        return RemoteTrace(self, next(self._numbers), wanted, tell, self._clock)

    def _session(self, target: str) -> tuple[int, Any] | None:
        for number, session in self._sessions.items():
            if target in (str(number), session.context.peer.id):
                return number, session
        return None

    def traced(self, number: int, record: Record) -> None:
        """Pass on a record of a worker."""
        trace = self.running.get(number)
        if trace is not None:
            trace.add(record)

    def begin(self, send: Send) -> None:
        """Have a worker that starts now join the traces of accounts."""
        for trace in self.running.values():
            if trace.request["is_user"]:
                send("trace", trace.number, trace.request)


def _told_one(send: Send, *message: Any) -> int:
    send(*message)
    return 1


class RemoteTrace:
    """One trace, of a session or of all sessions of an account."""

    def __init__(
        self,
        traces: RemoteTraces,
        number: int,
        request: Mapping[str, Any],
        tell: Callable[..., int],
        clock: IReactorTime,
    ) -> None:
        self._traces = traces
        self._tell = tell
        self._send: Callable[[Record], object] = bool
        self._not_begun = 0
        """Workers that were asked and have not begun."""
        self._early: list[Record] | None = []
        """The records before all of them have begun."""
        self._limit = Deadline(clock, self._begin)
        self.number = number
        self.request = request

    def start(self, send: Callable[[Record], object]) -> None:
        """Call ``send`` with each record."""
        self._send = send
        self._traces.running[self.number] = self
        self._not_begun += self._tell("trace", self.number, self.request)
        if self._not_begun:
            self._limit.set(BEGIN_SECONDS)
        else:
            self._begin()

    def _begin(self) -> None:
        """Send the first record, and what has waited for it."""
        self._limit.clear()
        early, self._early = self._early, None
        if early is None:
            return
        names = "hidden" if self.request["redact_names"] else "shown"
        follows = self.request["is_user"]
        first = {"trace": TRACE_VERSION, "since": time.time(), "names": names, "follows": follows}
        for record in (first, *early):
            self._send(record)

    def stop(self) -> None:
        """Send nothing more."""
        self._send = bool
        self._limit.clear()
        if self._traces.running.pop(self.number, None) is not None:
            self._tell("untrace", self.number)

    def add(self, record: Record) -> None:
        """Send a record of a worker; its first one says that the worker has begun."""
        if "trace" in record:
            self._not_begun -= 1
            if self._not_begun <= 0:
                self._begin()
        elif self._early is not None:
            self._early.append(record)
        else:
            self._send(record)
