"""What has happened since start, counted from events, as readable text (REPORT)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from ftpservice.activity.bounded_counter import BoundedCounter
from ftpservice.activity.live_sessions import LiveSession, LiveSessions
from ftpservice.activity.text_table import (
    duration_text,
    printable_text,
    size_text,
    table_lines,
    time_text,
)
from ftpservice.events import (
    CommandFailed,
    CommandRefused,
    Event,
    HandshakeFailed,
    LoggedIn,
    LoginFailed,
    Outcome,
    Refused,
    SessionOpened,
    TransferEnded,
)

__all__ = ["MAX_ERRORS", "MAX_ROWS", "ActivityReport"]

MAX_ROWS = 50
"""Rows of a table; what is beyond them is told as a sum."""
MAX_ERRORS = 20
NO_TLS_TEXT = "in clear"


class ActivityReport:
    """A subscriber that counts; ``seconds`` tells the time since the epoch."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._started = seconds()
        self._live = LiveSessions()
        self._opened = 0
        self._logins_by_user = BoundedCounter(2)
        self._logins_by_peer = BoundedCounter(2)
        self._under_tls = BoundedCounter(1)
        self._handshakes = 0
        self._commands_refused = 0
        self._refusals = BoundedCounter(1)
        self._login_refusals = BoundedCounter(1)
        self._transfers = BoundedCounter(6)
        self._errors: deque[tuple[Event, str]] = deque(maxlen=MAX_ERRORS)
        self._count: dict[type[Event], Callable[[Any], None]] = {
            SessionOpened: self._session_opened,
            LoggedIn: self._logged_in,
            HandshakeFailed: self._handshake_failed,
            LoginFailed: self._login_failed,
            Refused: lambda event: self._refusals.add(event.reason, 1),
            TransferEnded: self._transfer_ended,
            CommandRefused: self._command_refused,
            CommandFailed: self._command_failed,
        }

    def __call__(self, event: Event) -> None:
        """Take note of an event."""
        self._live(event)
        count = self._count.get(type(event))
        if count is not None:
            count(event)

    def _session_opened(self, _event: SessionOpened) -> None:
        self._opened += 1

    def _logged_in(self, event: LoggedIn) -> None:
        self._login(event, 1, 0)
        self._under_tls.add(event.tls or NO_TLS_TEXT, 1)

    def _login_failed(self, event: LoginFailed) -> None:
        self._login(event, 0, 1)
        self._login_refusals.add(event.reason, 1)

    def _handshake_failed(self, _event: HandshakeFailed) -> None:
        self._handshakes += 1

    def _login(self, event: Event, good: int, failed: int) -> None:
        self._logins_by_user.add(event.user, good, failed)
        self._logins_by_peer.add(event.peer, good, failed)

    def _transfer_ended(self, event: TransferEnded) -> None:
        moved = (int(event.outcome is Outcome.COMPLETE), event.size)
        up, down = (moved, (0, 0)) if event.upload else ((0, 0), moved)
        cut, refused = event.outcome is Outcome.CUT, event.outcome is Outcome.REFUSED
        self._transfers.add(event.user, *up, *down, int(cut), int(refused))
        if event.outcome is not Outcome.COMPLETE:
            verb = "upload" if event.upload else "download"
            path, size = printable_text(event.path), size_text(event.size)
            text = f"{verb} of {path} {event.outcome.value} after {size}"
            self._errors.append((event, _with_detail(text, event.detail)))

    def _command_refused(self, _event: CommandRefused) -> None:
        self._commands_refused += 1

    def _command_failed(self, event: CommandFailed) -> None:
        self._errors.append(
            (event, _with_detail(f"{printable_text(event.command)} failed", event.detail))
        )

    def lines(self) -> list[str]:
        """Return the report as of now; no line holds a control character."""
        return [*self._summary(), *self._who(), *self._logins(), *self._moved(), *self._wrong()]

    def _summary(self) -> list[str]:
        now = self._seconds()
        good, failed = self._logins_by_peer.totals()
        files_up, up, files_down, down, cut, refused = self._transfers.totals()
        (turned_away,) = self._refusals.totals()
        since, duration = time_text(self._started), duration_text(now - self._started)
        return [
            f"Activity since {since} UTC, for {duration}",
            f"Sessions   {len(self._live)} now, {self._opened} in total, {turned_away} turned away",
            f"Logins     {good} good, {failed} failed",
            f"TLS        {self._logins_under_tls()} logins, {self._handshakes} failed handshakes",
            f"Uploads    {files_up} files, {size_text(up)}",
            f"Downloads  {files_down} files, {size_text(down)}",
            f"Not whole  {cut} cut, {refused} refused",
            f"Refused    {self._commands_refused} commands",
        ]

    def _logins_under_tls(self) -> int:
        ways = self._under_tls.top(MAX_ROWS)
        return sum(counts[0] for way, counts in ways if way != NO_TLS_TEXT)

    def _who(self) -> list[str]:
        sessions = self._live.sessions()
        now = self._seconds()
        rows = [_session_row(session, now) for session in sessions[:MAX_ROWS]]
        more = [f"({len(sessions) - MAX_ROWS} more)"] if len(sessions) > MAX_ROWS else []
        heading = ("No", "Protocol", "User", "Address", "For", "Doing")
        return _section("Sessions now", heading, rows, 0) + more

    def _logins(self) -> list[str]:
        counts = ("Logins", "Failed")
        by_user, by_peer = self._logins_by_user.top(MAX_ROWS), self._logins_by_peer.top(MAX_ROWS)
        return [
            *_section("Logins by user", ("User", *counts), _cells(by_user), 2),
            *_section("Logins by address", ("Address", *counts), _cells(by_peer), 2),
            *_section("Logins by TLS", ("TLS", "Logins"), _cells(self._under_tls.top(MAX_ROWS)), 1),
            *_section(
                "Failed logins", ("Reason", "Times"), _cells(self._login_refusals.top(MAX_ROWS)), 1
            ),
            *_section("Turned away", ("Reason", "Times"), _cells(self._refusals.top(MAX_ROWS)), 1),
        ]

    def _moved(self) -> list[str]:
        rows = [
            (
                printable_text(name),
                str(row[0]),
                size_text(row[1]),
                str(row[2]),
                size_text(row[3]),
                *map(str, row[4:]),
            )
            for name, row in self._transfers.top(MAX_ROWS)
        ]
        heading = ("User", "Files up", "Bytes up", "Files down", "Bytes down", "Cut", "Refused")
        return _section("Transfers by user", heading, rows, 6)

    def _wrong(self) -> list[str]:
        rows = [
            (
                time_text(event.when),
                printable_text(event.user) or "-",
                printable_text(event.peer),
                text,
            )
            for event, text in reversed(self._errors)
        ]
        return _section("Last errors", ("When (UTC)", "User", "Address", "What"), rows, 0)


def _with_detail(text: str, detail: str) -> str:
    return f"{text}: {printable_text(detail)}" if detail else text


def _session_row(session: LiveSession, now: float) -> tuple[str, ...]:
    return (
        str(session.number),
        printable_text(session.protocol),
        printable_text(session.user) or "-",
        printable_text(session.peer),
        duration_text(now - session.since),
        _doing(session, now),
    )


def _doing(session: LiveSession, now: float) -> str:
    running, last = session.running, session.last
    if running is not None:
        verb = "uploading" if running.upload else "downloading"
        return f"{verb} {printable_text(running.path)} for {duration_text(now - running.when)}"
    if last is not None:
        verb = "uploaded" if last.upload else "downloaded"
        state = "" if last.outcome is Outcome.COMPLETE else f", {last.outcome.value}"
        return f"idle; {verb} {printable_text(last.path)}, {size_text(last.size)}{state}"
    return "idle"


def _cells(rows: Sequence[tuple[str, Sequence[int]]]) -> list[tuple[str, ...]]:
    return [(printable_text(name) or "-", *map(str, counts)) for name, counts in rows]


def _section(
    title: str, heading: Sequence[str], rows: Sequence[Sequence[str]], right: int
) -> list[str]:
    if not rows:
        return []
    return ["", f"{title}:", *("  " + line for line in table_lines(heading, rows, right))]
