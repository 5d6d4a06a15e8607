"""The sessions that other processes serve, as the main process sees them.

They are known by their events: from `SessionOpened` to `SessionClosed`. When a process has ended,
what it could not publish is published for it: its transfers were aborted, its sessions closed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from ftpservice.events import (
    Event,
    LoggedIn,
    Outcome,
    SessionClosed,
    SessionOpened,
    TransferEnded,
    TransferStarted,
)

__all__ = ["RemoteSession", "RemoteSessions"]

LOST_TEXT = "the process that served it has ended"

Send = Callable[..., object]
"""Sends a message to the process of a session."""


@dataclass(slots=True)
class RemoteTransfer:
    """A transfer that runs."""

    event: TransferStarted
    moved: int = 0
    """Bytes so far, as of the last report."""

    @property
    def upload(self) -> bool:
        """Whether the client sends the file."""
        return self.event.upload


@dataclass(slots=True)
class LoginElsewhere:
    """Who is logged in; ``account`` is the last event of a login, None before it."""

    account: LoggedIn | None = None


@dataclass(slots=True)
class RemoteContext:
    """What is known of a session: the part of a `SessionContext` that others show."""

    peer: Any
    """With ``session``, ``protocol``, ``label`` and ``id``."""
    portal_login: LoginElsewhere = field(default_factory=LoginElsewhere)
    transfers: dict[int, RemoteTransfer] = field(default_factory=dict)

    @property
    def running(self) -> RemoteTransfer | None:
        """The transfer in progress; of several the last one."""
        return next(reversed(self.transfers.values()), None)

    @property
    def moved(self) -> int:
        """Bytes of the transfer in progress so far; 0 without one."""
        running = self.running
        return 0 if running is None else running.moved


@dataclass(frozen=True, slots=True)
class RemotePeer:
    """The client of a session."""

    session: int
    label: str
    protocol: str
    id: str


class RemoteSession:
    """A session of another process: it is ended by a message."""

    __slots__ = ("_files", "_opened", "context", "send")

    is_working = is_busy = False

    def __init__(self, opened: SessionOpened, send: Send) -> None:
        self._opened = opened
        self.send = send
        self._files = [0, 0, 0, 0]
        peer = RemotePeer(opened.session, opened.peer, opened.protocol, opened.info.id)
        self.context = RemoteContext(peer)

    def client_is_connected(self) -> bool:
        """Return whether the client is known to be there."""
        return True

    def disconnect(self, reason: str) -> None:
        """Have 421 sent and the connection closed; a transfer is aborted."""
        self.send("disconnect", [self._opened.session], reason)

    def finish_and_disconnect(self, reason: str) -> None:
        """Have 421 sent and the connection closed, after the command in progress."""
        self.send("finish", [self._opened.session], reason)

    def yield_place(self, reason: str) -> None:
        """Have 421 sent and the connection closed."""
        self.disconnect(reason)

    def abort(self) -> None:
        """Do nothing: its process is told once for all."""

    def happened(self, event: Event) -> None:
        """Note what an event says."""
        kind = type(event)
        if kind is TransferStarted:
            assert isinstance(event, TransferStarted)
            self.context.transfers[event.transfer] = RemoteTransfer(event)
        elif kind is TransferEnded:
            assert isinstance(event, TransferEnded)
            self.context.transfers.pop(event.transfer, None)
            place = 0 if event.upload else 2
            self._files[place] += event.outcome is Outcome.COMPLETE
            self._files[place + 1] += event.size
        elif isinstance(event, LoggedIn):
            self.context.portal_login.account = event

    def history(self) -> Iterable[Event]:
        """Yield the events by which another program knows as much of the session."""
        yield self._opened
        if self.context.portal_login.account is not None:
            yield self.context.portal_login.account
        for running in self.context.transfers.values():
            yield running.event

    def lost(self) -> Iterable[Event]:
        """Yield the events that its process could not publish."""
        opened, now, login = self._opened, time.time(), self.context.portal_login.account
        user, info = opened.user, opened.info
        if login is not None:
            user, info = login.user, login.info
        for running in tuple(self.context.transfers.values()):
            one = running.event
            about = (now, one.session, one.peer, one.user, one.path, one.upload)
            seconds = max(0.0, now - one.when)
            ended = TransferEnded(
                *about,
                Outcome.ABORTED,
                running.moved,
                seconds,
                LOST_TEXT,
                transfer=one.transfer,
                info=one.info,
            )
            self.happened(ended)
            yield ended
        lasted = max(0.0, now - opened.when)
        about_session = (now, opened.session, opened.peer, user, LOST_TEXT, lasted)
        yield SessionClosed(*about_session, *self._files, info=info)


class RemoteSessions:
    """The sessions of one process; they stand in ``sessions`` beside those of the others."""

    def __init__(self, sessions: dict[int, Any], publish: Callable[[Event], object]) -> None:
        self._sessions = sessions
        self._publish = publish
        self.own: dict[int, RemoteSession] = {}

    def happened(self, event: Event, send: Send) -> None:
        """Note an event, and publish it."""
        self.note(event, send)
        self._publish(event)

    def note(self, event: Event, send: Send) -> None:
        """Note an event."""
        number = event.session
        if type(event) is SessionOpened:
            assert isinstance(event, SessionOpened)
            self.own[number] = self._sessions[number] = RemoteSession(event, send)
        elif number in self.own:
            if type(event) is SessionClosed:
                self._drop(number)
            else:
                self.own[number].happened(event)

    def history(self) -> Iterable[Event]:
        """Yield the events by which another program knows as much of all sessions."""
        for session in self.own.values():
            yield from session.history()

    def progress(self, moved: Iterable[tuple[int, int, int]]) -> None:
        """Note how many bytes transfers have moved: session, transfer, bytes."""
        for number, transfer, count in moved:
            session = self.own.get(number)
            running = None if session is None else session.context.transfers.get(transfer)
            if running is not None:
                running.moved = count

    def keep(self, numbers: Iterable[int]) -> None:
        """End all sessions but these: events were lost."""
        kept = set(numbers)
        self.end([number for number in self.own if number not in kept])

    def end(self, numbers: Iterable[int] | None = None) -> None:
        """Publish the end of sessions that have ended without saying so; all by default."""
        for number in tuple(self.own if numbers is None else numbers):
            session = self.own[number]
            self._drop(number)
            for event in session.lost():
                self._publish(event)

    def _drop(self, number: int) -> None:
        del self.own[number]
        self._sessions.pop(number, None)
