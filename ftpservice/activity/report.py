"""What has happened since start, counted from events, as readable text (REPORT)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from ftpservice.activity.bounded_counter import Tally
from ftpservice.activity.live_sessions import LiveSession, LiveSessions
from ftpservice.activity.text_table import moment, plain, size, span, table
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

__all__ = ["LAST_ERRORS", "TOP", "Report"]

TOP = 50
"""Rows of a table; what is beyond them is told as a sum."""
LAST_ERRORS = 20
IN_CLEAR = "in clear"


class Report:
    """A subscriber that counts; ``seconds`` tells the time since the epoch."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._started = seconds()
        self._live = LiveSessions()
        self._opened = 0
        self._logins_by_user = Tally(2)
        self._logins_by_peer = Tally(2)
        self._under_tls = Tally(1)
        self._handshakes = 0
        self._commands_refused = 0
        self._refusals = Tally(1)
        self._login_refusals = Tally(1)
        self._transfers = Tally(6)
        self._errors: deque[tuple[Event, str]] = deque(maxlen=LAST_ERRORS)
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
        self._under_tls.add(event.tls or IN_CLEAR, 1)

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
            text = f"{verb} of {plain(event.path)} {event.outcome.value} after {size(event.size)}"
            self._errors.append((event, _with_detail(text, event.detail)))

    def _command_refused(self, _event: CommandRefused) -> None:
        self._commands_refused += 1

    def _command_failed(self, event: CommandFailed) -> None:
        self._errors.append((event, _with_detail(f"{plain(event.command)} failed", event.detail)))

    def lines(self) -> list[str]:
        """Return the report as of now; no line holds a control character."""
        return [*self._summary(), *self._who(), *self._logins(), *self._moved(), *self._wrong()]

    def _summary(self) -> list[str]:
        now = self._seconds()
        good, failed = self._logins_by_peer.totals()
        files_up, up, files_down, down, cut, refused = self._transfers.totals()
        (turned_away,) = self._refusals.totals()
        return [
            f"Activity since {moment(self._started)} UTC, for {span(now - self._started)}",
            f"Sessions   {len(self._live)} now, {self._opened} in total, {turned_away} turned away",
            f"Logins     {good} good, {failed} failed",
            f"TLS        {self._logins_under_tls()} logins, {self._handshakes} failed handshakes",
            f"Uploads    {files_up} files, {size(up)}",
            f"Downloads  {files_down} files, {size(down)}",
            f"Not whole  {cut} cut, {refused} refused",
            f"Refused    {self._commands_refused} commands",
        ]

    def _logins_under_tls(self) -> int:
        ways = self._under_tls.top(TOP)
        return sum(counts[0] for way, counts in ways if way != IN_CLEAR)

    def _who(self) -> list[str]:
        sessions = self._live.sessions()
        now = self._seconds()
        rows = [_session_row(session, now) for session in sessions[:TOP]]
        more = [f"({len(sessions) - TOP} more)"] if len(sessions) > TOP else []
        heading = ("No", "Protocol", "User", "Address", "For", "Doing")
        return _section("Sessions now", heading, rows, 0) + more

    def _logins(self) -> list[str]:
        counts = ("Logins", "Failed")
        by_user, by_peer = self._logins_by_user.top(TOP), self._logins_by_peer.top(TOP)
        return [
            *_section("Logins by user", ("User", *counts), _cells(by_user), 2),
            *_section("Logins by address", ("Address", *counts), _cells(by_peer), 2),
            *_section("Logins by TLS", ("TLS", "Logins"), _cells(self._under_tls.top(TOP)), 1),
            *_section(
                "Failed logins", ("Reason", "Times"), _cells(self._login_refusals.top(TOP)), 1
            ),
            *_section("Turned away", ("Reason", "Times"), _cells(self._refusals.top(TOP)), 1),
        ]

    def _moved(self) -> list[str]:
        rows = [
            (plain(name), str(row[0]), size(row[1]), str(row[2]), size(row[3]), *map(str, row[4:]))
            for name, row in self._transfers.top(TOP)
        ]
        heading = ("User", "Files up", "Bytes up", "Files down", "Bytes down", "Cut", "Refused")
        return _section("Transfers by user", heading, rows, 6)

    def _wrong(self) -> list[str]:
        rows = [
            (moment(event.when), plain(event.user) or "-", plain(event.peer), text)
            for event, text in reversed(self._errors)
        ]
        return _section("Last errors", ("When (UTC)", "User", "Address", "What"), rows, 0)


def _with_detail(text: str, detail: str) -> str:
    return f"{text}: {plain(detail)}" if detail else text


def _session_row(session: LiveSession, now: float) -> tuple[str, ...]:
    return (
        str(session.number),
        plain(session.protocol),
        plain(session.user) or "-",
        plain(session.peer),
        span(now - session.since),
        _doing(session, now),
    )


def _doing(session: LiveSession, now: float) -> str:
    running, last = session.running, session.last
    if running is not None:
        verb = "uploading" if running.upload else "downloading"
        return f"{verb} {plain(running.path)} for {span(now - running.when)}"
    if last is not None:
        verb = "uploaded" if last.upload else "downloaded"
        state = "" if last.outcome is Outcome.COMPLETE else f", {last.outcome.value}"
        return f"idle; {verb} {plain(last.path)}, {size(last.size)}{state}"
    return "idle"


def _cells(rows: Sequence[tuple[str, Sequence[int]]]) -> list[tuple[str, ...]]:
    return [(plain(name) or "-", *map(str, counts)) for name, counts in rows]


def _section(
    title: str, heading: Sequence[str], rows: Sequence[Sequence[str]], right: int
) -> list[str]:
    if not rows:
        return []
    return ["", f"{title}:", *("  " + line for line in table(heading, rows, right))]
