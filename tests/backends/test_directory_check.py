"""Directories are looked at in threads, and nobody waits long for one that hangs."""

from __future__ import annotations

from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from ftpservice.backends.directory_check import CHECK_SECONDS, DirectoryCheck
from ftpservice.concurrency.task import Task
from ftpservice.concurrency.thread_pool import InlineRunner, PoolOverloaded
from ftpservice.storage.errors import Busy, Unavailable


class Bench:
    def __init__(self) -> None:
        self.clock, self.pool = Clock(), InlineRunner()
        self.pool.held = True
        self.looks = 0
        run = self.pool.run

        def counted(*words: Any, **rest: Any) -> Deferred[Any]:
            self.looks += 1
            return run(*words, **rest)

        self.pool.run = counted  # type: ignore[method-assign]
        self.check = DirectoryCheck(self.clock, self.pool)

    def reach(self, directory: Path) -> list[object]:
        """Begin to wait; return a list that the outcome is added to."""
        outcomes: list[object] = []
        waiting = Task(self.check.reach(str(directory))).done
        waiting.addBoth(outcomes.append)
        return outcomes

    def nothing_is_left(self) -> bool:
        return not self.check._waiting and not self.clock.getDelayedCalls()


@pytest.fixture
def bench() -> Bench:
    return Bench()


def error(outcomes: list[object], kind: type[BaseException]) -> str:
    (failure,) = outcomes
    assert isinstance(failure, Failure)
    assert failure.check(kind), failure
    return getattr(failure.value, "detail", "")


def test_a_directory_that_answers_is_reached(bench: Bench, tmp_path: Path) -> None:
    outcomes = bench.reach(tmp_path)
    assert outcomes == []
    bench.pool.release()
    assert outcomes == [None]
    assert bench.nothing_is_left()


def test_a_missing_one_is_unavailable(bench: Bench, tmp_path: Path) -> None:
    outcomes = bench.reach(tmp_path / "none")
    bench.pool.release()
    assert error(outcomes, Unavailable) == f"{tmp_path}/none: no such file or directory"
    outcomes = bench.reach(Path("nul\0"))
    bench.pool.release()
    assert "null" in error(outcomes, Unavailable)
    assert bench.nothing_is_left()


def test_one_that_hangs_is_unavailable_after_the_time_and_holds_one_thread(
    bench: Bench, tmp_path: Path
) -> None:
    first = bench.reach(tmp_path)
    bench.clock.advance(CHECK_SECONDS - 1)
    second = bench.reach(tmp_path)
    bench.clock.advance(1)
    assert error(first, Unavailable) == f"{tmp_path}: no answer within 3 seconds"
    assert second == []
    for _ in range(100):
        bench.reach(tmp_path)
        bench.clock.advance(CHECK_SECONDS)
    error(second, Unavailable)
    assert bench.looks == 1
    assert [len(waiting) for waiting in bench.check._waiting.values()] == [0]
    third = bench.reach(tmp_path)
    bench.pool.release()
    assert third == [None]
    assert bench.nothing_is_left()


def test_who_no_longer_waits_leaves_nothing(bench: Bench, tmp_path: Path) -> None:
    outcomes: list[object] = []
    task = Task(bench.check.reach(str(tmp_path)))
    task.done.addBoth(outcomes.append)
    task.cancel()
    error(outcomes, CancelledError)
    assert not bench.clock.getDelayedCalls()
    bench.pool.release()
    assert bench.nothing_is_left()


def test_too_many_and_a_stop(bench: Bench, tmp_path: Path) -> None:
    really = bench.pool.run
    bench.pool.run = lambda *words: fail(PoolOverloaded())  # type: ignore[method-assign,assignment]
    error(bench.reach(tmp_path), Busy)
    bench.pool.run = really  # type: ignore[method-assign]

    def finished(call: Coroutine[Any, Any, None]) -> bool:
        return Task(call).has_returned

    assert finished(bench.check.stop())
    assert error(bench.reach(tmp_path), Unavailable) == "stopped"
    assert bench.nothing_is_left()


def test_the_real_path_is_looked_up_in_the_pool_and_not_waited_for_without_end(
    bench: Bench, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "real")
    found: list[object] = []
    for path in (tmp_path / "link/sub", Path("nul\0")):
        Task(bench.check.real_path(str(path))).done.addBoth(found.append)
    assert found == []
    bench.pool.release()
    assert found.pop(0) == f"{tmp_path}/real/sub"
    assert "null" in error(found, Unavailable)
    found.clear()
    Task(bench.check.real_path(str(tmp_path))).done.addBoth(found.append)
    bench.clock.advance(CHECK_SECONDS)
    assert error(found, Unavailable) == f"{tmp_path}: no answer within 3 seconds"
    assert bench.nothing_is_left()
