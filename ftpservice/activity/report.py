"""What has happened since the start, counted from events, as text (SITE REPORT)."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ftpservice.activity.bounded_counter import BoundedCounter
from ftpservice.activity.text_table import (
    duration_text,
    printable_text,
    rate_text,
    short_size,
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
    SessionClosed,
    SessionOpened,
    TransferEnded,
    TransferStarted,
)
from ftpservice.wire.units import count_text

__all__ = ["MAX_ERRORS", "MAX_ROWS", "ActivityReport", "LiveSession", "Moved", "session_values"]

MAX_ROWS = 50
"""Rows of a table; the others are summed up in one."""
MAX_ERRORS = 20
PLAINTEXT = "plaintext"
FILES_UP, FILES_DOWN, ABORTED, REFUSED = 0, 2, 4, 5
"""Columns of the transfers; the bytes follow the files."""
Moved = Callable[[int, int], int]
"""Returns the bytes so far of a transfer, by the numbers of its session and of the transfer."""


@dataclass(slots=True)
class LiveSession:
    """A session that has not ended."""

    number: int
    peer: str
    protocol: str
    since: float
    """The time it was opened, in seconds since the epoch."""
    user: str = ""
    """The account of the last login; empty before that."""
    id: str = ""
    """Unique over runs and machines."""
    running: TransferStarted | None = None
    """The transfer in progress; of several at a time the last one that began."""
    last: TransferEnded | None = None
    others: tuple[TransferStarted, ...] = ()
    """Transfers in progress that began before `running`."""

    def begin(self, event: TransferStarted) -> None:
        """Note a transfer."""
        if self.running is not None:
            self.others = (*self.others, self.running)
        self.running = event

    @property
    def transfers(self) -> Sequence[TransferStarted]:
        """The transfers in progress, in the order in which they began."""
        return self.others if self.running is None else (*self.others, self.running)

    def end(self, event: TransferEnded) -> None:
        """Note the end of a transfer."""
        self.last = event
        if self.running is not None and self.running.transfer == event.transfer:
            self.running = self.others[-1] if self.others else None
            self.others = self.others[:-1]
        else:
            others = (one for one in self.others if one.transfer != event.transfer)
            self.others = tuple(others)


def session_values(session: LiveSession, moved: Moved) -> dict[str, Any]:
    """Return a session as JSON values."""
    transfers = [
        {
            "id": one.transfer_id,
            "path": one.path,
            "upload": one.upload,
            "since": one.when,
            "moved": moved(session.number, one.transfer),
            "size": one.size,
        }
        for one in session.transfers
    ]
    return {
        "session": session.number,
        "id": session.id,
        "user": session.user,
        "address": session.peer,
        "protocol": session.protocol,
        "since": session.since,
        "transfer": transfers[-1] if transfers else None,
        "transfers": transfers,
    }


class ActivityReport:
    """A subscriber that counts events; ``seconds`` returns the time since the epoch."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self.moved: Moved = lambda _session, _transfer: 0
        self._started = seconds()
        self._sessions: dict[int, LiveSession] = {}
        self._counts: Counter[type[Event]] = Counter()
        self._logins_by_user = BoundedCounter(2)
        self._logins_by_peer = BoundedCounter(2)
        self._logins_by_tls = BoundedCounter(1)
        self._refusals = BoundedCounter(1)
        self._login_refusals = BoundedCounter(1)
        self._transfers = BoundedCounter(6)
        self._errors: deque[tuple[Event, str]] = deque(maxlen=MAX_ERRORS)
        self._handlers: dict[type[Event], Callable[[Any], object]] = {
            SessionOpened: self._session_opened,
            SessionClosed: lambda event: self._sessions.pop(event.session, None),
            LoggedIn: self._logged_in,
            LoginFailed: self._login_failed,
            Refused: lambda event: self._refusals.add(event.reason, 1),
            TransferStarted: self._transfer_started,
            TransferEnded: self._transfer_ended,
            CommandFailed: self._command_failed,
        }

    def __call__(self, event: Event) -> None:
        """Count an event."""
        kind = type(event)
        self._counts[kind] = self._counts.get(kind, 0) + 1
        handler = self._handlers.get(kind)
        if handler is not None:
            handler(event)

    def restore(self, event: Event) -> None:
        """Note a session of before this program, without counting it: its events, in order."""
        session = self._sessions.get(event.session)
        if isinstance(event, SessionOpened):
            self._session_opened(event)
        elif isinstance(event, TransferStarted):
            self._transfer_started(event)
        elif session is not None:
            session.user = event.user

    def sessions(self) -> Sequence[LiveSession]:
        """Return the sessions that have not ended, the oldest first."""
        return tuple(self._sessions.values())

    def _session_opened(self, event: SessionOpened) -> None:
        user = event.user  # of a session that a link to a file has opened
        session = LiveSession(event.session, event.peer, event.protocol, event.when, user)
        session.id = event.info.id
        self._sessions[event.session] = session

    def _logged_in(self, event: LoggedIn) -> None:
        session = self._sessions.get(event.session)
        if session is not None:
            session.user = event.user
        self._logins_by_user.add(event.user, 1, 0)
        self._logins_by_peer.add(event.peer, 1, 0)
        self._logins_by_tls.add(event.tls or PLAINTEXT, 1)

    def _login_failed(self, event: LoginFailed) -> None:
        self._logins_by_user.add(event.user, 0, 1)
        self._logins_by_peer.add(event.peer, 0, 1)
        self._login_refusals.add(event.reason, 1)

    def _transfer_started(self, event: TransferStarted) -> None:
        session = self._sessions.get(event.session)
        if session is not None:
            session.begin(event)

    def _transfer_ended(self, event: TransferEnded) -> None:
        session = self._sessions.get(event.session)
        if session is not None:
            session.end(event)
        outcome, row = event.outcome, self._transfers.row(event.user)
        files = FILES_UP if event.upload else FILES_DOWN
        row[files + 1] += event.size
        if outcome is Outcome.COMPLETE:
            row[files] += 1
        else:
            row[ABORTED if outcome is Outcome.ABORTED else REFUSED] += 1
            verb = "upload" if event.upload else "download"
            path, size = printable_text(event.path), size_text(event.size)
            text = f"{verb} of {path} {outcome.value} after {size}"
            self._errors.append((event, _with_detail(text, event.detail)))

    def _command_failed(self, event: CommandFailed) -> None:
        text = _with_detail(f"{printable_text(event.command)} failed", event.detail)
        self._errors.append((event, text))

    def lines(self, since: str = "", until: str = "", user: str = "") -> list[str]:
        """Return the report since the start; no line has a control character.

        Raises `ValueError` if another time or one account is asked for.
        """
        if since or until or user:
            raise ValueError("no journal is kept, so there is only a report since the start")
        return [
            *self._summary(),
            *self.session_lines(),
            *self._logins(),
            *_transfers_table(self._transfers.top(MAX_ROWS)),
            *_errors_table(self._errors),
        ]

    def session_lines(self, user: str = "") -> list[str]:
        """Return the sessions of now, those of ``user`` or all, with what they do."""
        found = [one for one in self.sessions() if not user or one.user == user]
        return _sessions_table(found, self._seconds(), self.moved)

    def _summary(self) -> list[str]:
        counts = self._counts
        succeeded, failed = self._logins_by_peer.totals()
        files_up, up, files_down, down, aborted, refused = self._transfers.totals()
        by_tls = self._logins_by_tls.top(MAX_ROWS)
        encrypted = sum(row[0] for name, row in by_tls if name != PLAINTEXT)
        since, duration = time_text(self._started), duration_text(self._seconds() - self._started)
        return [
            f"Activity since {since} UTC, for {duration}",
            f"Sessions   {len(self._sessions)} now, {counts[SessionOpened]} in total, "
            f"{counts[Refused]} refused",
            f"Logins     {succeeded} succeeded, {failed} failed",
            f"TLS        {count_text(encrypted, 'login')}, "
            f"{count_text(counts[HandshakeFailed], 'failed handshake')}",
            f"Uploads    {count_text(files_up, 'file')}, {size_text(up)}",
            f"Downloads  {count_text(files_down, 'file')}, {size_text(down)}",
            f"Incomplete {aborted} aborted, {refused} refused",
            f"Commands   {counts[CommandRefused]} refused",
        ]

    def _logins(self) -> list[str]:
        def table(title: str, heading: Sequence[str], counter: BoundedCounter) -> list[str]:
            rows = counter.top(MAX_ROWS)
            cells = [(printable_text(name) or "-", *map(str, counts)) for name, counts in rows]
            return _table(title, heading, cells, len(heading) - 1)

        counts = ("Logins", "Failed")
        return [
            *table("Logins by user", ("User", *counts), self._logins_by_user),
            *table("Logins by address", ("Address", *counts), self._logins_by_peer),
            *table("Logins by TLS", ("TLS", "Logins"), self._logins_by_tls),
            *table("Failed logins", ("Reason", "Times"), self._login_refusals),
            *table("Refused sessions", ("Reason", "Times"), self._refusals),
        ]


def _sessions_table(sessions: Sequence[LiveSession], now: float, moved: Moved) -> list[str]:
    rows: list[tuple[str, ...]] = []
    for session in sessions[:MAX_ROWS]:
        first, *others = _activities(session, now, moved)
        facts = (
            str(session.number),
            printable_text(session.protocol),
            printable_text(session.user) or "-",
            printable_text(session.peer),
            duration_text(now - session.since),
        )
        rows.append((*facts, first))
        rows += [("",) * len(facts) + (one,) for one in others]
    more = [f"({len(sessions) - MAX_ROWS} more)"] if len(sessions) > MAX_ROWS else []
    heading = ("No", "Protocol", "User", "Address", "For", "Activity")
    return _table("Sessions now", heading, rows, 0) + more


def _activities(session: LiveSession, now: float, moved: Moved) -> list[str]:
    """Return what a session does, a text for each of its transfers."""
    found = []
    for running in session.transfers:
        verb = "uploading" if running.upload else "downloading"
        text = f"{verb} {printable_text(running.path)} for {duration_text(now - running.when)}"
        found.append(text + _progress(moved(session.number, running.transfer), running, now))
    return found or [_idle(session.last)]


def _idle(last: TransferEnded | None) -> str:
    if last is not None:
        verb = "uploaded" if last.upload else "downloaded"
        state = "" if last.outcome is Outcome.COMPLETE else f", {last.outcome.value}"
        return f"idle; {verb} {printable_text(last.path)}, {size_text(last.size)}{state}"
    return "idle"


def _progress(moved: int, running: TransferStarted, now: float) -> str:
    if not moved:
        return ""
    size = running.size
    whole = f" of {short_size(size)}, {100 * moved // size} %" if size else ""
    rate = moved / max(now - running.when, 0.001)
    return f": {short_size(moved)}{whole}, {rate_text(rate)}"


def _transfers_table(transfers: Sequence[tuple[str, Sequence[int]]]) -> list[str]:
    rows = [
        (
            printable_text(name),
            str(row[0]),
            size_text(row[1]),
            str(row[2]),
            size_text(row[3]),
            *map(str, row[4:]),
        )
        for name, row in transfers
    ]
    heading = ("User", "Files up", "Bytes up", "Files down", "Bytes down", "Aborted", "Refused")
    return _table("Transfers by user", heading, rows, 6)


def _errors_table(errors: Sequence[tuple[Event, str]]) -> list[str]:
    rows = [
        (
            time_text(event.when),
            printable_text(event.user) or "-",
            printable_text(event.peer),
            text,
        )
        for event, text in reversed(errors)
    ]
    return _table("Last errors", ("When (UTC)", "User", "Address", "Error"), rows, 0)


def _with_detail(text: str, detail: str) -> str:
    return f"{text}: {printable_text(detail)}" if detail else text


def _table(
    title: str, heading: Sequence[str], rows: Sequence[Sequence[str]], right: int
) -> list[str]:
    if not rows:
        return []
    return ["", f"{title}:", *("  " + line for line in table_lines(heading, rows, right))]
