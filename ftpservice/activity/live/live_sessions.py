"""The sessions and the transfers that run, as JSON values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ftpservice.activity.report import LiveSession, session_values
from ftpservice.session.context import moved_of
from ftpservice.session.registry import ManagedSession

__all__ = ["LiveSessions"]


class ISessionList(Protocol):
    """Where the sessions come from (`ftpservice.activity.report.ActivityReport`)."""

    def sessions(self) -> Sequence[LiveSession]:
        """Return the sessions that have not ended, the oldest first."""


class LiveSessions:
    """The sessions of ``report``; ``managed`` has those with a connection, by their number."""

    def __init__(self, report: ISessionList, managed: Mapping[int, ManagedSession]) -> None:
        self._report = report
        self._managed = managed

    def rows(self) -> list[dict[str, Any]]:
        """Return all sessions, the oldest first."""
        return [self._row(session) for session in self._report.sessions()]

    def row(self, number: int) -> dict[str, Any] | None:
        """Return one session; None if it has ended."""
        for session in self._report.sessions():
            if session.number == number:
                return self._row(session)
        return None

    def _row(self, session: LiveSession) -> dict[str, Any]:
        last = session.last
        row = session_values(session, self._moved)
        row["last"] = None
        if last is not None:
            row["last"] = {
                "path": last.path,
                "upload": last.upload,
                "size": last.size,
                "outcome": last.outcome.value,
                "rate": last.rate,
            }
        return row

    def _moved(self, number: int, transfer: int) -> int:
        managed = self._managed.get(number)
        return 0 if managed is None else moved_of(managed.context, transfer)

    def counts(self) -> tuple[int, int]:
        """Return the numbers of sessions and of running transfers."""
        sessions = self._report.sessions()
        return len(sessions), sum(len(one.transfers) for one in sessions)

    def moved_now(self) -> tuple[int, int]:
        """Return the bytes so far of the running uploads and downloads."""
        up = down = 0
        for session in self._report.sessions():
            for transfer in session.transfers:
                moved = self._moved(session.number, transfer.transfer)
                if transfer.upload:
                    up += moved
                else:
                    down += moved
        return up, down
