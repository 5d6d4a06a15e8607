"""Sessions of other processes, known by their events, and what is published when a process ends."""

from __future__ import annotations

from typing import Any

import pytest

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
from ftpservice.workers.remote_sessions import LOST_TEXT, RemoteSessions

INFO = SessionInfo("run-7", "ftp")


class Seen:
    def __init__(self) -> None:
        self.all: dict[int, Any] = {}
        self.published: list[Event] = []
        self.sent: list[tuple[Any, ...]] = []
        self.remote = RemoteSessions(self.all, self.published.append)
        self.remote.send = lambda *message: self.sent.append(message)

    def happen(self, *events: Event) -> Seen:
        for event in events:
            self.remote.happened(event)
        return self


OPENED = SessionOpened(1.0, 7, "::1", "", info=INFO)
LOGIN = LoggedIn(2.0, 7, "::1", "ann", info=INFO)
STARTED = TransferStarted(3.0, 7, "::1", "ann", "/f", True, 1, 100, info=INFO)
ENDED = TransferEnded(4.0, 7, "::1", "ann", "/f", True, Outcome.COMPLETE, 100, 1.0, transfer=1)
CLOSED = SessionClosed(5.0, 7, "::1", "ann")


@pytest.fixture
def seen() -> Seen:
    return Seen()


def test_a_session_is_there_from_its_begin_to_its_end(seen: Seen) -> None:
    seen.happen(OPENED)
    context = seen.all[7].context
    assert (context.peer.id, context.peer.label, context.running) == ("run-7", "::1", None)
    assert context.portal_login.account is None
    seen.happen(LOGIN, STARTED)
    assert context.portal_login.account == "ann"
    assert context.running.upload
    seen.remote.progress([(7, 1, 40), (7, 2, 1), (8, 1, 1)])
    assert context.moved == 40
    seen.happen(ENDED)
    assert (context.running, context.moved) == (None, 0)
    seen.happen(CLOSED)
    assert seen.all == {}
    assert seen.published == [OPENED, LOGIN, STARTED, ENDED, CLOSED]


def test_it_is_ended_by_a_message_to_its_process(seen: Seen) -> None:
    seen.happen(OPENED)
    seen.all[7].disconnect("go")
    seen.all[7].finish_and_disconnect("soon")
    assert seen.sent == [("disconnect", [7], "go"), ("finish", [7], "soon")]


def test_the_end_of_a_process_ends_its_sessions(seen: Seen) -> None:
    seen.happen(OPENED, LOGIN, ENDED, STARTED)
    seen.remote.progress([(7, 1, 40)])
    del seen.published[:]
    seen.remote.end()
    ended, closed = seen.published
    assert isinstance(ended, TransferEnded)
    assert (ended.outcome, ended.size, ended.path, ended.transfer) == (
        Outcome.ABORTED,
        40,
        "/f",
        1,
    )
    assert isinstance(closed, SessionClosed)
    assert (closed.user, closed.reason) == ("ann", LOST_TEXT)
    assert (closed.files_up, closed.bytes_up, closed.files_down) == (1, 140, 0)
    assert closed.info is INFO
    assert seen.all == {}
    assert seen.remote.count == 0


def test_after_a_loss_only_the_sessions_that_there_are_stay(seen: Seen) -> None:
    seen.happen(OPENED, SessionOpened(1.0, 9, "::1", ""))
    seen.remote.keep([9, 11])
    assert list(seen.all) == [9]


def test_events_of_no_known_session_are_published(seen: Seen) -> None:
    assert seen.happen(LOGIN).published == [LOGIN]
