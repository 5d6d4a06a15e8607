"""The events of a session."""

from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.task import Clock

from ftpservice.events import Event, EventStream, Outcome, SessionClosed, TransferEnded
from ftpservice.session.context import SessionEvents, SessionPeer


@pytest.fixture
def published() -> list[Event]:
    return []


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def session(published: list[Event], clock: Clock) -> SessionEvents:
    stream = EventStream(lambda error, _event: pytest.fail(str(error)))
    stream.subscribe(published.append, SessionClosed, TransferEnded)
    sink = SimpleNamespace(events=stream)
    services: Any = SimpleNamespace(clock=clock, seconds=clock.seconds, event_sink=sink)
    login: Any = SimpleNamespace(account=None)
    tls: Any = SimpleNamespace(description="")
    peer = SessionPeer(1, "192.0.2.1", lambda: True)
    return SessionEvents(services, peer, login, tls)


def test_a_session_that_is_closed_during_a_transfer_ends_after_it(session, published, clock):
    first, second = (session.begin_transfer("ann", "/a", True, None) for _ in range(2))
    clock.advance(5)
    session.close("lost")
    assert published == []
    clock.advance(7)
    session.end_transfer("ann", "/a", True, Outcome.COMPLETE, 3, 1.0, "", "", first)
    session.end_transfer("ann", "/a", True, Outcome.ABORTED, 4, 1.0, "cut", "", second)
    assert [type(event) for event in published] == [TransferEnded, TransferEnded, SessionClosed]
    closed = published[-1]
    assert (closed.reason, closed.seconds) == ("lost", 5)
    assert (closed.files_up, closed.bytes_up) == (1, 7)


def test_a_session_without_a_transfer_ends_at_once(session, published):
    number = session.begin_transfer("ann", "/a", False, 3)
    session.end_transfer("ann", "/a", False, Outcome.COMPLETE, 3, 1.0, "", "", number)
    session.close("QUIT")
    assert [type(event) for event in published] == [TransferEnded, SessionClosed]
