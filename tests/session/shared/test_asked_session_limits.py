"""Limits on sessions that workers ask their main process for, with messages in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from ftpservice.session.session_limits import SessionLimits
from ftpservice.session.shared.asked_session_limits import AskedSessionLimits, LimitsOfWorkers
from ftpservice.session.shared.peer_requests import ANSWER_SECONDS, PeerRequests


class Processes:
    """A main process and its workers, in the columns 1 and 2."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.held_back: list[Callable[[], object]] | None = None
        """Messages that have not arrived yet; None: all arrive at once."""
        self.peers = [PeerRequests(self._sender(column), self.clock) for column in range(3)]
        self.counted = SessionLimits()
        self.main = LimitsOfWorkers(self.counted, self.peers[0], lambda: (1, 2))
        self.workers = [AskedSessionLimits(column, self.peers[column]) for column in (1, 2)]

    def _sender(self, source: int) -> Callable[[int, tuple[Any, ...]], object]:
        def send(column: int, message: tuple[Any, ...]) -> None:
            def arrive() -> None:
                self.peers[column].received(source, message)

            if self.held_back is None:
                arrive()
            else:
                self.held_back.append(arrive)

        return send

    def release_messages(self) -> None:
        """Let all messages arrive."""
        held, self.held_back = self.held_back or [], None
        for arrive in held:
            arrive()


def result(coroutine: Any) -> Any:
    found: list[Any] = []
    Deferred.fromCoroutine(coroutine).addCallback(found.append)
    (only,) = found
    return only


def test_workers_never_have_more_places_together_than_the_limit() -> None:
    processes = Processes()
    one, two = processes.workers
    obtained = [result(limits.obtain("user", "ann", 3)) for limits in (one, two) * 3]
    assert obtained == [True, True, True, False, False, False]
    one.release("user", "ann")
    assert result(two.obtain("user", "ann", 3))
    assert not result(one.obtain("user", "ann", 3))


def test_a_session_without_a_limit_begins_without_a_question_and_counts_all_the_same() -> None:
    processes = Processes()
    assert processes.workers[0].take("user", "ann", 0)
    assert not result(processes.workers[1].obtain("user", "ann", 1))


def test_the_places_of_a_worker_that_has_ended_are_free() -> None:
    processes = Processes()
    for _ in range(2):
        assert result(processes.workers[0].obtain("user", "ann", 2))
    processes.main.ended(1)
    assert processes.counted.taken("user", "ann") == 0
    assert result(processes.workers[1].obtain("user", "ann", 1))


def test_a_session_that_ends_while_it_waits_has_no_place() -> None:
    processes = Processes()
    processes.held_back = []
    waiting = Deferred.fromCoroutine(processes.workers[0].obtain("user", "ann", 1))
    waiting.addErrback(lambda _cancelled: None)
    waiting.cancel()
    processes.release_messages()
    assert processes.counted.taken("user", "ann") == 0


def test_a_worker_has_another_one_displace_a_session() -> None:
    processes = Processes()
    one, two = processes.workers
    assert result(one.obtain("all", "", 1))

    def displace() -> bool:
        one.release("all", "")
        return True

    one.displace = displace
    assert result(two.displace_elsewhere())
    assert result(two.obtain("all", "", 1))
    assert not result(one.displace_elsewhere())


def test_without_a_main_process_no_place_is_had() -> None:
    processes = Processes()
    processes.peers[1].close()
    assert not result(processes.workers[0].obtain("user", "ann", 3))
    assert not result(processes.workers[0].displace_elsewhere())


def test_the_next_program_counts_the_places_of_the_workers_that_go_on() -> None:
    processes = Processes()
    one, two = processes.workers
    for limits in (one, one, two):
        assert result(limits.obtain("user", "ann", 3))
    handed = processes.main.hand_over()
    counted = SessionLimits()
    following = LimitsOfWorkers(counted, processes.peers[0], lambda: (1, 2))
    following.take_over(1, handed[1])
    assert counted.taken("user", "ann") == 2
    following.take_over(2, handed[2])
    assert not result(one.obtain("user", "ann", 3))
    one.release("user", "ann")
    assert counted.taken("user", "ann") == 2
    following.ended(1)
    assert counted.taken("user", "ann") == 1


def test_a_place_that_is_obtained_after_that_is_nobodys() -> None:
    processes = Processes()
    waiting: Deferred[bool] = Deferred()

    async def obtain(kind: str, name: str, limit: int) -> bool:
        await waiting
        return processes.counted.take(kind, name, limit)

    counted: Any = processes.counted
    counted.obtain = obtain
    asking = Deferred.fromCoroutine(processes.workers[0].obtain("user", "ann", 3))
    assert processes.main.hand_over() == {1: []}
    waiting.callback(True)
    assert asking.result is False
    assert processes.counted.taken("user", "ann") == 0


def test_a_place_that_the_main_process_gives_after_a_long_pause_is_given_back() -> None:
    """It was stopped for longer than a worker waits; the session was refused meanwhile."""
    processes = Processes()
    processes.held_back = []
    found: list[bool] = []
    worker = processes.workers[0]
    Deferred.fromCoroutine(worker.obtain("user", "ann", 1)).addCallback(found.append)
    processes.clock.advance(ANSWER_SECONDS)
    assert found == [False]
    processes.release_messages()
    assert processes.counted.taken("user", "ann") == 0
    assert result(worker.obtain("user", "ann", 1))
