"""Events of one worker, in their order; what cannot be read is lost, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from ftpservice.events import SessionClosed, SessionOpened
from ftpservice.workers.event_codec import EncodedEvent, encode_event
from ftpservice.workers.event_receiver import EventReceiver
from ftpservice.workers.remote_sessions import RemoteSessions


class Receiving:
    """A receiver, and what it has published."""

    def __init__(self) -> None:
        self.sessions: dict[int, Any] = {}
        self.published: list[Any] = []
        self.losses: list[int] = []
        sessions = RemoteSessions(self.sessions, self.published.append)
        self.receiver = EventReceiver(sessions, bool, self.losses.append)


@pytest.fixture
def receiving() -> Receiving:
    return Receiving()


def opened(number: int) -> EncodedEvent:
    return encode_event(SessionOpened(1.0, number, "::1", ""))


@pytest.mark.parametrize(
    "unknown",
    [
        ("OtherEvent", None, None, (1.0, 7)),
        ("SessionOpened", ("x", "ftp", False, (), None), None, (1.0,)),
        ("TransferEnded", None, None, ()),
        ("TransferEnded", None, None, (1.0, 7, "::1", "", "/x", True, "eaten", 0, 0.0, "")),
        ("SessionOpened", None, None, (1.0, 7, "::1", "", "more", "still more")),
        ("SessionOpened",),
        (),
    ],
)
def test_an_event_of_another_version_is_lost_and_the_next_one_is_not(
    receiving: Receiving, unknown: EncodedEvent
) -> None:
    receiving.receiver.happened([opened(1), unknown, opened(2)])
    assert [event.session for event in receiving.published] == [1, 2]
    assert receiving.losses == [1]
    assert receiving.receiver.count == 3


def test_an_unknown_event_does_not_end_a_takeover(receiving: Receiving) -> None:
    found = receiving.receiver.restore([opened(1), ("TransferEnded", None, None, ()), opened(2)], 5)
    assert [event.session for event in found] == [1, 2]
    assert list(receiving.sessions) == [1, 2]
    assert receiving.published == []
    assert receiving.receiver.count == 5


def test_what_was_published_and_did_not_arrive_is_lost_at_the_end(receiving: Receiving) -> None:
    receiving.receiver.happened([opened(1)])
    receiving.receiver.end(3)
    assert receiving.losses == [2]
    assert [type(event) for event in receiving.published] == [SessionOpened, SessionClosed]
    assert receiving.sessions == {}


def test_sessions_that_ended_meanwhile_end_after_a_loss(receiving: Receiving) -> None:
    receiving.receiver.happened([opened(1), opened(2)])
    receiving.receiver.lost(4, [2])
    assert receiving.losses == [4]
    assert list(receiving.sessions) == [2]
    assert receiving.receiver.count == 6
