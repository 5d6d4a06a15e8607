"""Events go to the main process in batches; those that it does not read are bounded and counted."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.task import Clock

from ftpservice.events import LoggedIn, LoginFailed, Outcome, TransferEnded, TransferStarted
from ftpservice.workers import event_forwarder
from ftpservice.workers.channel import Channel
from ftpservice.workers.event_forwarder import (
    BATCH_SECONDS,
    MAX_BATCH,
    PROGRESS_SECONDS,
    EventForwarder,
)
from ftpservice.workers.session_board import SessionBoard


class Recorded(Channel):
    """A channel that keeps what is sent."""

    def __init__(self) -> None:
        super().__init__({}, bool)
        self.messages: list[tuple[Any, ...]] = []

    def frame(self, name: str, *values: Any) -> bytes:
        super().frame(name, *values)
        self.messages.append((name, *values))
        return b""


class Forwarding:
    def __init__(self) -> None:
        self.clock = Clock()
        self.channel = Recorded()
        self.board = SessionBoard.create(2)
        self.sessions: dict[int, Any] = {}
        column = self.board.column(1)
        self.forward = EventForwarder(self.channel, column, self.sessions, self.clock)

    def batches(self) -> list[int]:
        return [len(values[0]) for name, *values in self.channel.messages if name == "events"]


@pytest.fixture
def forwarding() -> Iterator[Forwarding]:
    forwarding = Forwarding()
    yield forwarding
    forwarding.board.close()


LOGIN = LoggedIn(1.0, 7, "::1", "ann")


def test_events_wait_a_moment_for_others(forwarding: Forwarding) -> None:
    for _ in range(3):
        forwarding.forward(LOGIN)
    assert forwarding.batches() == []
    forwarding.clock.advance(BATCH_SECONDS)
    assert forwarding.batches() == [3]
    assert forwarding.board.column(1).events == 3
    assert forwarding.clock.getDelayedCalls() == []


def test_many_are_sent_at_once(forwarding: Forwarding) -> None:
    for _ in range(MAX_BATCH + 1):
        forwarding.forward(LOGIN)
    assert forwarding.batches() == [MAX_BATCH]
    forwarding.forward.flush()
    assert forwarding.batches() == [MAX_BATCH, 1]


def test_a_main_process_that_does_not_read_loses_events_beyond_a_limit(
    forwarding: Forwarding, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_forwarder, "MAX_WAITING_EVENTS", 5)
    forwarding.sessions[9] = None
    forwarding.channel.pauseProducing()
    for _ in range(8):
        forwarding.forward(LOGIN)
    forwarding.clock.advance(10)
    assert forwarding.channel.messages == []
    forwarding.channel.resumeProducing()
    assert forwarding.batches() == [5]
    assert forwarding.channel.messages[-1] == ("lost", 3, [9])
    forwarding.forward(LOGIN)
    forwarding.clock.advance(BATCH_SECONDS)
    assert forwarding.batches() == [5, 1]


def test_texts_of_another_class_are_sent_as_texts(forwarding: Forwarding) -> None:
    class Name(str):
        __slots__ = ()

    forwarding.forward(LoginFailed(1.0, 7, "::1", Name("ann")))
    forwarding.clock.advance(BATCH_SECONDS)
    assert forwarding.batches() == [1]


def test_the_bytes_of_running_transfers_are_told_until_they_end(forwarding: Forwarding) -> None:
    forwarding.sessions[7] = SimpleNamespace(context=SimpleNamespace(moved=40, transfers=None))
    forwarding.forward(TransferStarted(1.0, 7, "::1", "ann", "/f", True, 1))
    forwarding.forward(TransferStarted(1.0, 8, "::1", "ann", "/f", True, 1))
    forwarding.clock.advance(PROGRESS_SECONDS)
    assert ("progress", [(7, 1, 40)]) in forwarding.channel.messages
    for number in (7, 8):
        ended = (1.0, number, "::1", "ann", "/f", True, Outcome.COMPLETE, 1, 1.0)
        forwarding.forward(TransferEnded(*ended, transfer=1))
    del forwarding.channel.messages[:]
    forwarding.clock.advance(PROGRESS_SECONDS)
    assert [name for name, *_ in forwarding.channel.messages] == ["events"]
    assert forwarding.clock.getDelayedCalls() == []


def test_without_a_main_process_events_go_elsewhere_also_those_that_wait(
    forwarding: Forwarding,
) -> None:
    forwarding.channel.is_paused = True
    forwarding.forward(LOGIN)
    forwarding.clock.advance(BATCH_SECONDS)
    kept: list[Any] = []
    forwarding.forward.elsewhere = kept.extend
    forwarding.forward.flush()
    forwarding.forward(LOGIN)
    forwarding.clock.advance(BATCH_SECONDS)
    assert len(kept) == 2
    assert forwarding.batches() == []
