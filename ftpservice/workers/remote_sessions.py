"""The sessions that other processes serve, as the main process sees them.

They are known by their events: from `SessionOpened` to `SessionClosed`. When a process has ended,
what it could not publish is published for it: its transfers were aborted, its sessions closed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from ftpservice.events import (
    Event,
    LoggedIn,
    Outcome,
    SessionClosed,
    SessionInfo,
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


class RemoteSession:
    """A session of another process: it is ended by a message.

    The main process has one for each session of its workers, so all of it is one small object:
    what others show of it is made for them (`context`).
    """

    __slots__ = (
        "_files",
        "_home",
        "info",
        "label",
        "protocol",
        "session",
        "since",
        "transfers",
        "user",
    )

    is_working = is_busy = False

    def __init__(self, opened: SessionOpened, home: RemoteSessions) -> None:
        self.session = opened.session
        self.label = opened.peer
        """The address of its client, or "local"."""
        self.protocol = opened.protocol
        self.since = opened.when
        self.info = opened.info
        """What its events share now."""
        self.user: str | None = None
        """The account of the last login; None before one."""
        self.transfers: dict[int, RemoteTransfer] | None = None
        """Those that run, by their number."""
        self._home = home
        self._files: list[int] | None = None
        """Complete uploads, their bytes, complete downloads, their bytes."""

    @property
    def id(self) -> str:
        """What names it among those of all runs and machines."""
        return self.info.id

    @property
    def context(self) -> RemoteContext:
        """What is known of it."""
        return RemoteContext(self)

    @property
    def send(self) -> Send:
        """Sends a message to its process."""
        return self._home.send

    def belongs_to(self, home: RemoteSessions) -> bool:
        """Return whether it is one of these."""
        return self._home is home

    def client_is_connected(self) -> bool:
        """Return whether the client is known to be there."""
        return True

    def disconnect(self, reason: str) -> None:
        """Have 421 sent and the connection closed; a transfer is aborted."""
        self.send("disconnect", [self.session], reason)

    def finish_and_disconnect(self, reason: str) -> None:
        """Have 421 sent and the connection closed, after the command in progress."""
        self.send("finish", [self.session], reason)

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
            running = self.transfers
            if running is None:
                running = self.transfers = {}
            running[event.transfer] = RemoteTransfer(event)
        elif kind is TransferEnded:
            assert isinstance(event, TransferEnded)
            if self.transfers is not None:
                self.transfers.pop(event.transfer, None)
            files = self._files
            if files is None:
                files = self._files = [0, 0, 0, 0]
            place = 0 if event.upload else 2
            files[place] += event.outcome is Outcome.COMPLETE
            files[place + 1] += event.size
        elif kind is LoggedIn:
            self.user = event.user
        self.info = event.info

    def history(self) -> Iterable[Event]:
        """Yield the events by which another program knows as much of the session."""
        about = self.since, self.session, self.label
        yield SessionOpened(*about, "", self.protocol, info=self.info)
        if self.user is not None:
            yield LoggedIn(*about, self.user, self.info.tls, info=self.info)
        for running in self._running():
            yield running.event

    def _running(self) -> tuple[RemoteTransfer, ...]:
        return () if self.transfers is None else tuple(self.transfers.values())

    def lost(self) -> Iterable[Event]:
        """Yield the events that its process could not publish."""
        now = time.time()
        for running in self._running():
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
        lasted, files = max(0.0, now - self.since), self._files or (0, 0, 0, 0)
        about_session = (now, self.session, self.label, self.user or "", LOST_TEXT, lasted)
        yield SessionClosed(*about_session, *files, info=self.info)


class LoginElsewhere(NamedTuple):
    """Who is logged in."""

    account: str | None
    """The name; None before a login."""


class RemoteContext:
    """What is known of a session: the part of a `SessionContext` that others show."""

    __slots__ = ("peer",)

    def __init__(self, session: RemoteSession) -> None:
        self.peer = session
        """With ``session``, ``protocol``, ``label`` and ``id``."""

    @property
    def portal_login(self) -> LoginElsewhere:
        """Who is logged in."""
        return LoginElsewhere(self.peer.user)

    @property
    def transfers(self) -> Mapping[int, RemoteTransfer]:
        """The transfers in progress, by their number."""
        return self.peer.transfers or {}

    @property
    def running(self) -> RemoteTransfer | None:
        """The transfer in progress; of several the last one."""
        return next(reversed(tuple(self.transfers.values())), None)

    @property
    def moved(self) -> int:
        """Bytes of the transfer in progress so far; 0 without one."""
        running = self.running
        return 0 if running is None else running.moved


class RemoteSessions:
    """The sessions of one process; they stand in ``sessions`` beside those of the others."""

    def __init__(self, sessions: dict[int, Any], publish: Callable[[Event], object]) -> None:
        self._sessions = sessions
        self._publish = publish
        self.count = 0
        """How many there are."""
        self.send: Send = bool
        """Sends a message to their process."""

    def happened(self, event: Event) -> None:
        """Note an event, and publish it."""
        self.note(event)
        self._publish(event)

    def note(self, event: Event) -> None:
        """Note an event."""
        number = event.session
        if type(event) is SessionOpened:
            if self.find(number) is None:
                self.count += 1
            self._sessions[number] = RemoteSession(event, self)
            return
        session = self.find(number)
        if session is None:
            return
        if type(event) is SessionClosed:
            self._drop(number)
        else:
            session.happened(event)

    def find(self, number: int) -> RemoteSession | None:
        """Return a session by its number; None if it is none of these."""
        session = self._sessions.get(number)
        if type(session) is RemoteSession and session.belongs_to(self):
            return session
        return None

    def _own(self) -> list[RemoteSession]:
        all_sessions = tuple(self._sessions.values())
        remote = (one for one in all_sessions if type(one) is RemoteSession)
        return [one for one in remote if one.belongs_to(self)]

    def info_of(self, number: int) -> SessionInfo | None:
        """Return what the events of a session share now; None for one that is not known."""
        session = self.find(number)
        return None if session is None else session.info

    def history(self) -> Iterable[Event]:
        """Yield the events by which another program knows as much of all sessions."""
        for session in self._own():
            yield from session.history()

    def progress(self, moved: Iterable[tuple[int, int, int]]) -> None:
        """Note how many bytes transfers have moved: session, transfer, bytes."""
        for number, transfer, count in moved:
            session = self.find(number)
            running = None if session is None else session.context.transfers.get(transfer)
            if running is not None:
                running.moved = count

    def keep(self, numbers: Iterable[int]) -> None:
        """End all sessions but these: events were lost."""
        self.end(set(numbers))

    def end(self, kept: Collection[int] = ()) -> None:
        """Publish the end of sessions that have ended without saying so: all but ``kept``."""
        for session in self._own():
            if session.session not in kept:
                self._drop(session.session)
                for event in session.lost():
                    self._publish(event)

    def _drop(self, number: int) -> None:
        del self._sessions[number]
        self.count -= 1
