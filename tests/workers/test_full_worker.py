"""A worker without descriptors leaves connections to others that have some."""

from __future__ import annotations

import errno
from collections.abc import Iterator

import pytest
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent

from ftpservice.workers.full_worker import CHECK_SECONDS, KEPT_DESCRIPTORS, LOG_SECONDS, FullWorker
from ftpservice.workers.session_board import SessionBoard
from tests.support.limited_process import descriptors_left

EXHAUSTED = OSError(errno.EMFILE, "Too many open files")


class Workers:
    """Two workers, in the columns 1 and 2; the first is this process."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.board = SessionBoard.create(3)
        self.own, self.other = self.board.column(1), self.board.column(2)
        self.own.accepts = self.other.accepts = True
        self.full = FullWorker(self.own, self.clock)


@pytest.fixture
def workers() -> Iterator[Workers]:
    made = Workers()
    yield made
    made.full.stop()
    assert made.clock.getDelayedCalls() == []
    made.board.close()


def test_connections_are_left_to_others_only_while_these_have_descriptors(workers: Workers) -> None:
    assert workers.full.leaves(EXHAUSTED)
    workers.other.is_full = True
    assert not workers.full.leaves(EXHAUSTED)
    workers.other.is_full, workers.other.accepts = False, False
    assert not workers.full.leaves(EXHAUSTED)


def test_errors_of_the_machine_concern_the_others_too(workers: Workers) -> None:
    assert not workers.full.leaves(OSError(errno.ENFILE, "Too many open files in system"))
    assert not workers.own.is_full


def test_the_mark_stays_until_there_are_descriptors_for_some_sessions(workers: Workers) -> None:
    with descriptors_left(KEPT_DESCRIPTORS - 5):
        workers.full.mark()
        workers.clock.pump([CHECK_SECONDS] * 5)
        assert workers.own.is_full
        assert workers.own.others_accept() and not workers.other.others_accept()
    workers.clock.advance(CHECK_SECONDS)
    assert not workers.own.is_full
    assert workers.other.others_accept()


def test_it_is_logged_once_a_minute(workers: Workers) -> None:
    with capturedLogs() as logged:
        for _ in range(10):
            workers.full.mark()
            workers.clock.advance(CHECK_SECONDS)
            assert not workers.own.is_full
        assert [formatEvent(one)[:25] for one in logged] == ["few descriptors are left:"]
        workers.clock.advance(LOG_SECONDS)
        workers.full.mark()
        assert len(logged) == 2


def test_a_process_that_is_full_has_not_the_fewest_sessions(workers: Workers) -> None:
    workers.own.sessions, workers.other.sessions = 3, 9
    assert workers.board.column(2).fewest_sessions() == 3
    workers.own.is_full = True
    assert workers.board.column(2).fewest_sessions() == 9
    workers.own.clear()
    assert not workers.own.is_full
