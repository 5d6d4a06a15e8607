"""Who is there and what they are doing, told by events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ftpservice.events import (
    Event,
    LoggedIn,
    SessionClosed,
    SessionOpened,
    TransferEnded,
    TransferStarted,
)

__all__ = ["LiveSession", "LiveSessions"]


@dataclass(slots=True)
class LiveSession:
    """One session that has not ended."""

    number: int
    peer: str
    protocol: str
    since: float
    """When it was opened, in seconds since the epoch."""
    user: str = ""
    """Who logged in last; empty before that."""
    running: TransferStarted | None = None
    last: TransferEnded | None = None


class LiveSessions:
    """A subscriber that keeps the sessions there are; others' events are passed over."""

    def __init__(self) -> None:
        self._sessions: dict[int, LiveSession] = {}

    def __call__(self, event: Event) -> None:
        """Take note of an event."""
        if isinstance(event, SessionOpened):
            opened = LiveSession(event.session, event.peer, event.protocol, event.when)
            self._sessions[event.session] = opened
            return
        session = self._sessions.get(event.session)
        if session is not None:
            self._note(session, event)

    def _note(self, session: LiveSession, event: Event) -> None:
        if isinstance(event, SessionClosed):
            del self._sessions[session.number]
        elif isinstance(event, LoggedIn):
            session.user = event.user
        elif isinstance(event, TransferStarted):
            session.running = event
        elif isinstance(event, TransferEnded):
            session.running, session.last = None, event

    def __len__(self) -> int:
        return len(self._sessions)

    def sessions(self) -> Sequence[LiveSession]:
        """Return the sessions, the oldest first."""
        return tuple(self._sessions.values())
