"""Journals of tests: events of every kind, with names as a hostile client sends them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ftpservice.activity.journal.journal_place import JournalPlan, journal_database_url
from ftpservice.activity.journal.journal_rows import row_of
from ftpservice.events import (
    AccountChanged,
    AdminAction,
    BanLifted,
    Banned,
    CertificateExpires,
    CertificateFailed,
    CertificateIssued,
    CommandFailed,
    CommandRefused,
    Event,
    FileChanged,
    FileExpired,
    HandshakeFailed,
    LoggedIn,
    LoginFailed,
    LoginRefusal,
    Outcome,
    Refused,
    SessionClosed,
    SessionInfo,
    SessionOpened,
    SessionStalled,
    TransferEnded,
    TransferStarted,
    UploadRefused,
)

__all__ = ["HOSTILE", "every_event", "plan", "records_of", "transfer"]

HOSTILE = "a\n\r\t\0\x1b[2J\x7f\\x41\\'\";--%s {x}\ud800\udc80\udcff\u202e\U0001f600\N{DEGREE SIGN}"
"""A name with control characters, bytes that are not UTF-8, a lone surrogate, quotes."""
WHEN = 1_795_957_821.25


def every_event(text: str = "x") -> list[Event]:
    """Return one event of each kind, with ``text`` wherever a text is."""
    info = SessionInfo(
        text, "ftp", text, (text, "b"), lambda path: f"/disk{path}" if path else None
    )
    who = (WHEN, 7, text, text)
    return [
        SessionOpened(*who, "ftp", info=info),
        LoggedIn(*who, text, info=info),
        LoginFailed(*who, LoginRefusal.WRONG_PASSWORD, text, info=info),
        HandshakeFailed(*who, text, info=info),
        Refused(*who, text, info=info),
        SessionStalled(*who, text, info=info),
        CommandFailed(*who, text, text, info=info),
        CommandRefused(*who, text, text, 550, text, text, info=info),
        UploadRefused(*who, text, text, "QUOTA", text, text, 3, text, info=info),
        TransferStarted(*who, text, True, 3, 10**30, info=info),
        TransferEnded(
            *who, text, True, Outcome.ABORTED, 10**30, 0.5, text, text, 3, False, info=info
        ),
        FileChanged(*who, text, text, text, info=info),
        FileExpired(WHEN, 0, "", text, text, 10, float("inf"), text),
        AdminAction(*who, text, text, text),
        AccountChanged(*who, text),
        Banned(WHEN, 0, "", "", text, text, None),
        BanLifted(WHEN, 0, "", "", text),
        CertificateExpires(WHEN, 0, "", "", (text, "b"), WHEN, 3),
        CertificateIssued(WHEN, 0, "", "", (text,), WHEN),
        CertificateFailed(WHEN, 0, "", "", (text,), text, WHEN),
        SessionClosed(*who, text, 5.0, 1, 2, 3, 4, info=info),
    ]


def transfer(when: float, user: str = "ann", size: int = 100, **other: Any) -> TransferEnded:
    """Return the end of a complete upload of a second."""
    values = {"upload": True, "outcome": Outcome.COMPLETE, "seconds": 1.0, "path": "/a"} | other
    path, upload, outcome = values.pop("path"), values.pop("upload"), values.pop("outcome")
    seconds = values.pop("seconds")
    return TransferEnded(when, 7, "192.0.2.1", user, path, upload, outcome, size, seconds, **values)


def records_of(events: Sequence[Event], run: str = "run", node: str = "") -> list[str]:
    """Return a record for each event, as earlier versions have written them into the spool."""
    ids = (f"{run}-{number:09d}" for number in range(1, len(events) + 1))
    rows = (row_of(event, id, node) for event, id in zip(events, ids, strict=True))
    return [json.dumps(row) for row in rows if row is not None]


def plan(directory: Path | str, place: str = "", **values: Any) -> JournalPlan:
    """Return the plan of a journal with its spool, in a directory; SQLite without ``place``."""
    directory = Path(directory)
    url = journal_database_url(place or str(directory / "journal.db"))
    return JournalPlan(url, directory / "journal-spool", **values)
