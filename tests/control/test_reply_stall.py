"""A client that reads no reply: its session ends after the stall timeout, unless it takes bytes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from ftpservice.control import reply_stall
from ftpservice.events import SessionStalled
from tests.support.ftp_dialogue import FTPDialogue

TIMEOUT = 60.0
"""The default stall timeout."""


@pytest.fixture
def full() -> FTPDialogue:
    """A session whose replies wait."""
    talk = FTPDialogue()
    talk.codes("USER ann", "PASS secret")
    talk.protocol.outgoing.pauseProducing()
    return talk


def advance(talk: FTPDialogue, seconds: float, each: Callable[[], object] = bool) -> None:
    """Let time pass, a second at a time."""
    for _ in range(int(seconds)):
        each()
        talk.reactor.advance(1)


def end(talk: FTPDialogue) -> None:
    """Lose the connection; no timer is left."""
    if talk.transport.producer is not None:
        talk.transport.producer.stopProducing()
    talk.protocol.connectionLost(Failure(ConnectionDone()))
    talk.reactor.advance(5)
    assert not talk.reactor.getDelayedCalls()


def test_a_client_that_reads_nothing_is_disconnected(full: FTPDialogue) -> None:
    advance(full, TIMEOUT - 1)
    assert not full.transport.aborted
    advance(full, TIMEOUT / 4 + 1)
    assert full.transport.aborted
    assert [(event.user, event.reason) for event in full.of(SessionStalled)] == [
        ("ann", "it has read no reply for 60 seconds")
    ]
    end(full)


def test_one_that_reads_slowly_is_not(full: FTPDialogue, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = [0]
    monkeypatch.setattr(reply_stall, "bytes_acked", lambda _transport: taken[0] // 40)

    def take() -> None:
        taken[0] += 1

    advance(full, 4 * TIMEOUT, take)
    assert not full.transport.aborted
    advance(full, 2 * TIMEOUT)
    assert full.transport.aborted
    end(full)


def test_one_that_reads_again_is_not(full: FTPDialogue) -> None:
    advance(full, TIMEOUT - 1)
    full.protocol.outgoing.resumeProducing()
    advance(full, 2 * TIMEOUT)
    assert not full.transport.aborted
    end(full)


def test_one_whose_transfer_runs_is_not(full: FTPDialogue) -> None:
    full.protocol.context.running = object()  # type: ignore[assignment]  # any will do
    advance(full, 3 * TIMEOUT)
    assert not full.transport.aborted
    full.protocol.context.running = None
    advance(full, 2 * TIMEOUT)
    assert full.transport.aborted
    end(full)


def test_a_lost_connection_leaves_no_timer(full: FTPDialogue) -> None:
    end(full)
    assert not full.of(SessionStalled)
