"""Traces of sessions that workers serve: each worker sends the records of its own sessions."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping
from typing import Any

from ftpservice.activity.admin_actions import BadRequest
from ftpservice.activity.trace.trace_feed import TRACE_VERSION
from ftpservice.workers.remote_sessions import Send

__all__ = ["RemoteTraces"]

Record = dict[str, Any]


class RemoteTraces:
    """The traces that run, of ``sessions``; ``broadcast`` tells all workers."""

    def __init__(self, sessions: Mapping[int, Any], broadcast: Send) -> None:
        self._sessions = sessions
        self._broadcast = broadcast
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
            return RemoteTrace(self, next(self._numbers), wanted, self._broadcast)
        number, session = found
        if session.context.peer.protocol != "ftp":
            raise BadRequest(f"session {number} does not use FTP, which can be traced")
        wanted = {"target": str(number), "is_user": False, "redact_names": hides_names}
        return RemoteTrace(self, next(self._numbers), wanted, session.send)

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


class RemoteTrace:
    """One trace, of a session or of all sessions of an account."""

    def __init__(
        self, traces: RemoteTraces, number: int, request: Mapping[str, Any], tell: Send
    ) -> None:
        self._traces = traces
        self._tell = tell
        self._send: Callable[[Record], object] = bool
        self.number = number
        self.request = request

    def start(self, send: Callable[[Record], object]) -> None:
        """Call ``send`` with each record."""
        self._send = send
        names = "hidden" if self.request["redact_names"] else "shown"
        follows = self.request["is_user"]
        send({"trace": TRACE_VERSION, "since": time.time(), "names": names, "follows": follows})
        self._traces.running[self.number] = self
        self._tell("trace", self.number, self.request)

    def stop(self) -> None:
        """Send nothing more."""
        self._send = bool
        if self._traces.running.pop(self.number, None) is not None:
            self._tell("untrace", self.number)

    def add(self, record: Record) -> None:
        """Send a record of a worker; that it has begun is known."""
        if "trace" not in record:
            self._send(record)
