"""What happened in sessions, as the spans of traces: plain values, without any library.

A session is a trace. Its root span is the session; transfers, logins, refusals, calls of the
storage and runs of hooks are below it. The ids of trace and spans follow from those of session and
transfer, so nothing has to be kept of a session while it runs, and a hook that is told of it days
later belongs to its trace.

A span costs a processor some 30 microseconds, as much as many a call of a storage. So of calls that
succeed within `FAST_SECONDS`, only some in each second get one; the others are counted.

No name that was tried in a failed login, no text of a reply and no word that is not a command is
in a span: each of them may be a password.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from typing import Any, NamedTuple

from ftpservice import events
from ftpservice.backends.gates.run_record import HookRun
from ftpservice.commands.table import VERB_TABLE
from ftpservice.events import Event, Outcome
from ftpservice.simple.commands import SIMPLE_VERBS

__all__ = ["SPAN_EVENTS", "SpanRecord", "SpanRecords", "StorageCall", "trace_id_of"]

MAX_TEXT = 1024
"""Characters of an attribute."""
MAX_SESSIONS = 20_000
"""Sessions with transfers that are known to run."""
FAST_SECONDS = 0.01
MAX_FAST_CALLS = 100
"""Fast calls of storages that get a span, in each second."""
SPAN_EVENTS: tuple[type[Event], ...] = (
    events.SessionClosed,
    events.LoggedIn,
    events.LoginFailed,
    events.TransferStarted,
    events.TransferEnded,
    events.CommandRefused,
    events.UploadRefused,
    events.CommandFailed,
)
Value = str | int | float


class StorageCall(NamedTuple):
    """A call of a session's storage that has ended."""

    session: str
    """The id of the session."""
    name: str
    """The name of the method."""
    path: str
    started: float
    """Seconds since the epoch."""
    seconds: float
    error: str = ""
    """The kind of the error; empty for none."""


@dataclass(slots=True)
class SpanRecord:
    """One span. Times are seconds since the epoch, ids those of OpenTelemetry."""

    name: str
    trace: int
    id: int
    parent: int | None
    """The id of the parent's span; None: it is the root."""
    start: float
    end: float
    attributes: dict[str, Value] = field(default_factory=dict)
    error: str = ""
    """Why it is an error; empty: it is none."""


@lru_cache(8192)
def trace_id_of(session: str) -> int:
    """Return the id of the trace of a session."""
    return int.from_bytes(sha256(session.encode()).digest()[:16]) or 1


@lru_cache(8192)
def _span_id_of(name: str) -> int:
    return int.from_bytes(sha256(name.encode()).digest()[16:24]) or 1


def _text(value: str) -> str:
    """Return a text that can be sent: cut, and with escapes where it is no Unicode."""
    return value[:MAX_TEXT].encode("utf-8", "backslashreplace").decode()


class SpanRecords:
    """Makes spans; ``is_sampled`` tells of the id of a trace whether it is wanted."""

    def __init__(self, is_sampled: Callable[[int], bool]) -> None:
        self._is_sampled = is_sampled
        self._running: OrderedDict[str, list[str]] = OrderedDict()
        """The ids of the running transfers, by that of the session."""
        self.left_out = 0
        """Fast calls of storages so far that got no span."""
        self._second, self._fast_calls = 0, 0
        """A second, and the fast calls in it."""
        self._makers: dict[type[Any], Callable[[Any], SpanRecord | None]] = {
            events.SessionClosed: self._session,
            events.LoggedIn: self._login,
            events.LoginFailed: self._failed_login,
            events.TransferStarted: self._transfer_started,
            events.TransferEnded: self._transfer,
            events.CommandRefused: self._refusal,
            events.UploadRefused: self._refusal,
            events.CommandFailed: self._failed_command,
            StorageCall: self._storage_call,
            HookRun: self._hook_run,
        }

    def of(self, happened: Iterable[Event | StorageCall | HookRun]) -> Iterator[SpanRecord]:
        """Yield the spans of what happened."""
        for one in happened:
            record = self._makers[type(one)](one)
            if record is not None and self._is_sampled(record.trace):
                yield record

    def _child(
        self, name: str, session: str, start: float, end: float, transfer: str = ""
    ) -> SpanRecord | None:
        """Return a span below a transfer, or the session; None without a session."""
        if not session:
            return None
        running = [transfer] if transfer else self._running.get(session, ())
        parent = running[0] if len(running) == 1 else session
        own = secrets.randbits(64) or 1
        return SpanRecord(name, trace_id_of(session), own, _span_id_of(parent), start, end)

    def _at(self, name: str, event: Event, error: str = "") -> SpanRecord | None:
        """Return a span of a moment."""
        record = self._child(name, event.info.id, event.when, event.when)
        if record is not None:
            record.error = error
        return record

    def _session(self, event: events.SessionClosed) -> SpanRecord | None:
        session = event.info.id
        self._running.pop(session, None)
        if not session:
            return None
        ids = (trace_id_of(session), _span_id_of(session), None)
        start = event.when - event.seconds
        record = SpanRecord("session", *ids, start, event.when, _who(event))
        record.attributes |= {
            "ftp.session.files_up": event.files_up,
            "ftp.session.bytes_up": event.bytes_up,
            "ftp.session.files_down": event.files_down,
            "ftp.session.bytes_down": event.bytes_down,
            "ftp.session.end": _text(event.reason),
        }
        return record

    def _login(self, event: events.LoggedIn) -> SpanRecord | None:
        return _with(self._at("login", event), {"user.name": _text(event.user)})

    def _failed_login(self, event: events.LoginFailed) -> SpanRecord | None:
        reason = event.reason.value
        return _with(self._at("login", event, reason), {"error.type": reason})

    def _transfer_started(self, event: events.TransferStarted) -> None:
        session = event.info.id
        self._running.setdefault(session, []).append(event.transfer_id)
        self._running.move_to_end(session)
        while len(self._running) > MAX_SESSIONS:
            self._running.popitem(last=False)

    def _transfer(self, event: events.TransferEnded) -> SpanRecord | None:
        session, transfer = event.info.id, event.transfer_id
        running = self._running.get(session, [])
        if transfer in running:
            running.remove(transfer)
        if not running:
            self._running.pop(session, None)
        if not session:
            return None
        name = "upload" if event.upload else "download"
        ids = (trace_id_of(session), _span_id_of(transfer), _span_id_of(session))
        record = SpanRecord(name, *ids, event.when - event.seconds, event.when)
        record.attributes |= {
            "file.path": _text(event.path),
            "user.name": _text(event.user),
            "ftp.transfer.id": transfer,
            "ftp.transfer.bytes": event.size,
            "ftp.transfer.outcome": event.outcome.value,
        }
        if event.outcome is not Outcome.COMPLETE:
            record.attributes["error.type"] = event.outcome.value
            record.error = _text(event.detail) or event.outcome.value
        return record

    def _refusal(self, event: events.CommandRefused) -> SpanRecord | None:
        facts: dict[str, Value] = {"error.type": str(event.code)}
        if verb := _verb(event.command):
            facts["ftp.command"] = verb
        if event.path and verb:
            facts["file.path"] = _text(event.path)
        transfer, by = "", ""
        if isinstance(event, events.UploadRefused):
            transfer = f"{event.info.id}-{event.transfer}" if event.transfer else ""
            by = event.refused_by
        if by:
            facts["ftp.refused_by"] = _text(by)
        when = event.when
        record = self._child("refusal", event.info.id, when, when, transfer)
        if record is not None:
            record.error = f"refused with {event.code}"
        return _with(record, facts)

    def _failed_command(self, event: events.CommandFailed) -> SpanRecord | None:
        facts: dict[str, Value] = {"ftp.command": _verb(event.command)}
        return _with(self._at("failure", event, "unexpected error"), facts)

    def _storage_call(self, call: StorageCall) -> SpanRecord | None:
        if not call.error and call.seconds < FAST_SECONDS and self._is_left_out(call):
            return None
        end = call.started + call.seconds
        record = self._child(f"storage {call.name}", call.session, call.started, end)
        if record is not None:
            record.error = call.error
        facts: dict[str, Value] = {"file.path": _text(call.path)}
        return _with(record, facts | ({"error.type": call.error} if call.error else {}))

    def _is_left_out(self, call: StorageCall) -> bool:
        second = int(call.started)
        if second != self._second:
            self._second, self._fast_calls = second, 0
        self._fast_calls += 1
        is_left_out = self._fast_calls > MAX_FAST_CALLS
        self.left_out += is_left_out
        return is_left_out

    def _hook_run(self, run: HookRun) -> SpanRecord | None:
        end = run.started + run.seconds
        name = f"{run.kind} {run.hook}"
        record = self._child(name, run.session, run.started, end, run.transfer)
        if record is not None and run.outcome == "failed":
            record.error = "failed"
        facts: dict[str, Value] = {
            "ftp.hook.about": run.about,
            "ftp.hook.outcome": run.outcome,
        }
        return _with(record, facts)


def _verb(command: str) -> str:
    """Return a verb that is known; empty for another word, which may be a mistyped password."""
    return command if command in VERB_TABLE.rows or command in SIMPLE_VERBS else ""


def _who(event: Event) -> dict[str, Value]:
    info = event.info
    found: dict[str, Value] = {
        "session.id": info.id,
        "client.address": event.peer,
        "network.protocol.name": info.protocol,
    }
    if event.user:
        found["user.name"] = _text(event.user)
    if info.tls:
        found["ftp.tls"] = info.tls
    return found


def _with(record: SpanRecord | None, facts: dict[str, Value]) -> SpanRecord | None:
    if record is not None:
        record.attributes |= facts
    return record
