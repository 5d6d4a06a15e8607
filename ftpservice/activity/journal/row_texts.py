r"""Rows of the journal as JSON texts, and several of them in one record of the spool.

A row is an array of the values of `COLUMNS`. JSON has no tab within a text, so that a comma and a
tab separate rows, which nobody needs to parse for that. A record of one row is a row alone.

The rows that every transfer and session gets are put together from their parts, if all texts in
them are printable and need no escape; what a client can put into a name needs one, or is not
printable. All others are encoded value by value, as are those of the other events.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any, NamedTuple

from ftpservice.activity.journal.journal_rows import (
    MAX_ACCOUNT,
    MAX_INTEGER,
    MAX_TEXT,
    MAX_TIME,
    VALUES,
    lost_row,
    row_of,
)
from ftpservice.activity.journal.spool import ROW_SEPARATOR
from ftpservice.events import (
    Event,
    LoggedIn,
    Outcome,
    SessionClosed,
    SessionInfo,
    SessionOpened,
    TransferEnded,
)

__all__ = ["RowTexts", "joined_rows", "rows_of_record"]

MAX_SESSIONS = 1000
MIN_SECONDS = 1e-9
NO_VALUES = '"","","","","","","",null,null,null'
OK_VALUES = '"","","","","ok","","",null,null,null'
_encode = json.JSONEncoder(separators=(",", ":")).encode


def joined_rows(rows: Sequence[str]) -> str:
    """Return the record of some rows."""
    return ROW_SEPARATOR.join(rows)


def rows_of_record(record: str) -> list[str]:
    """Return the rows of a record, also of one that an earlier version has written."""
    return record.split(ROW_SEPARATOR)


def _is_plain(text: str) -> bool:
    """Return whether a text is stored, and written as JSON, as it is."""
    return text.isprintable() and '"' not in text and "\\" not in text and len(text) <= MAX_TEXT


class _Session(NamedTuple):
    """What the rows of a session have in common."""

    info: SessionInfo
    user: str
    peer: str
    id: str
    """Empty if one of the texts is not plain."""
    columns: str
    """The columns from the account to the groups."""

    @classmethod
    def of(cls, event: Event) -> _Session:
        info, user, peer = event.info, event.user, event.peer
        texts = (user, peer, info.protocol, info.tls, ",".join(info.groups))
        if len(user) > MAX_ACCOUNT or not all(map(_is_plain, (info.id, *texts))):
            return cls(info, user, peer, "", "")
        return cls(info, user, peer, info.id, '"' + '","'.join(texts) + '"')


class RowTexts:
    """Makes rows, each with an id of its own; ``run`` is unique among all runs and machines.

    ``node`` is the name of the node of a cluster, or empty.
    """

    def __init__(self, run: str, node: str = "") -> None:
        self._run = run
        self._node = node
        self._end = f",{_encode(node or None)}]"
        self._numbers = count(1)
        self._sessions: dict[int, _Session] = {}
        self._frequent: dict[type[Event], Callable[[Any, _Session], str | None]] = {
            TransferEnded: self._transfer,
            SessionOpened: self._session_opened,
            LoggedIn: self._logged_in,
            SessionClosed: self._session_closed,
        }

    def text_of(self, event: Event) -> str | None:
        """Return the row of an event; None for one that the journal does not keep."""
        kind = type(event)
        frequent = self._frequent.get(kind)
        if frequent is not None:
            session = self._sessions.get(event.session)
            if session is None or (
                session.info is not event.info
                or session.user != event.user
                or session.peer != event.peer
            ):
                session = self._noted(event)
            if kind is SessionClosed:
                del self._sessions[event.session]
            if session.id and 0 <= event.when < MAX_TIME:
                text = frequent(event, session)
                if text is not None:
                    return text
        elif kind not in VALUES:
            return None
        return _encode(row_of(event, self._next_id(), self._node))

    def lost(self, when: float, events: int, reason: str) -> str:
        """Return the row that counts events which have none."""
        return _encode(lost_row(self._next_id(), when, events, reason, self._node))

    def _noted(self, event: Event) -> _Session:
        if len(self._sessions) >= MAX_SESSIONS:
            self._sessions.clear()
        session = self._sessions[event.session] = _Session.of(event)
        return session

    def _next_id(self) -> str:
        return f"{self._run}-{next(self._numbers):09d}"

    def _transfer(self, event: TransferEnded, session: _Session) -> str | None:
        path, digest, detail = event.path, event.digest, event.detail
        name = session.info.storage_name(path) or ""
        size, seconds = event.size, event.seconds
        if not (
            _is_plain(f"{path}{name}{digest}{detail}")
            and MIN_SECONDS < seconds < MAX_TIME
            and size < MAX_INTEGER
        ):
            return None
        outcome = "complete" if event.outcome is Outcome.COMPLETE else event.outcome.value
        return (
            f'["{self._run}-{next(self._numbers):09d}",{int(event.when * 1e6 + 0.5)}e-6,'
            f'"transfer",{event.session},1,"{session.id}","{session.id}-{event.transfer}",'
            f'{session.columns},"{path}","","{name}","{"upload" if event.upload else "download"}",'
            f'"{outcome}","{digest}","{detail}",{size},{seconds:.6f},{size / seconds:.3f}'
            f"{self._end}"
        )

    def _session_opened(self, event: SessionOpened, session: _Session) -> str | None:
        if event.protocol != session.info.protocol:
            return None
        return self._of_session(event, session, '"session opened"', NO_VALUES)

    def _logged_in(self, event: LoggedIn, session: _Session) -> str | None:
        if event.tls != session.info.tls:
            return None
        return self._of_session(event, session, '"login"', OK_VALUES)

    def _session_closed(self, event: SessionClosed, session: _Session) -> str | None:
        reason, seconds, moved = event.reason, event.seconds, event.bytes_up + event.bytes_down
        if not (_is_plain(reason) and 0 <= seconds < MAX_TIME and moved < MAX_INTEGER):
            return None
        values = f'"","","","","","","{reason}",{moved},{seconds:.6f},null'
        return self._of_session(event, session, '"session closed"', values)

    def _of_session(self, event: Event, session: _Session, kind: str, values: str) -> str:
        """Return a row without a transfer; ``values`` are the columns from the path on."""
        return (
            f'["{self._next_id()}",{int(event.when * 1e6 + 0.5)}e-6,{kind},{event.session},1,'
            f'"{session.id}","",{session.columns},{values}{self._end}'
        )
