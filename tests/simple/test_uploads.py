"""Uploads that are published while the next ones are begun."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from ftpservice.flow.task import Task
from ftpservice.simple.uploads import MOST, Uploads
from tests.flow.memory import is_pending, outcome


class Bench:
    """Uploads that end when the test says so."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []
        self.begun: dict[str, Deferred[None]] = {}
        self.uploads = Uploads(lambda text, problem: self.told.append((text, repr(problem))))

    def begin(self, path: str, text: str = "") -> Deferred[None]:
        return Task(self._begin(path, text or path)).done

    async def _begin(self, path: str, text: str) -> None:
        await self.uploads.room(path)
        self.uploads.begin(path, text, Task(self._upload(path)))

    async def _upload(self, path: str) -> None:
        self.begun[path] = Deferred()
        await self.begun[path]


def test_answers_keep_their_order() -> None:
    bench = Bench()
    for path in ("a", "b"):
        outcome(bench.begin(path))
    bench.begun["b"].callback(None)
    assert bench.told == []
    bench.begun["a"].callback(None)
    assert bench.told == [("a", "None"), ("b", "None")]


def test_only_so_many_are_on_their_way() -> None:
    bench = Bench()
    for number in range(MOST):
        outcome(bench.begin(str(number)))
    waiting = bench.begin("next")
    assert is_pending(waiting)
    bench.begun["0"].callback(None)
    assert "next" in bench.begun


def test_one_name_has_one_at_a_time() -> None:
    bench = Bench()
    outcome(bench.begin("a", "first"))
    first = bench.begun["a"]
    waiting = bench.begin("a", "second")
    assert is_pending(waiting)
    first.callback(None)
    outcome(waiting)
    bench.begun["a"].callback(None)
    assert [text for text, _problem in bench.told] == ["first", "second"]


def test_failures_are_told_in_their_place() -> None:
    bench = Bench()
    for path in ("a", "b"):
        outcome(bench.begin(path))
    bench.begun["a"].errback(KeyError("full"))
    bench.begun["b"].callback(None)
    assert bench.told == [("a", "KeyError('full')"), ("b", "None")]


def test_settling_waits_for_all() -> None:
    bench = Bench()
    for path in ("a", "b"):
        outcome(bench.begin(path))
    settled = Task(bench.uploads.settle()).done
    bench.begun["a"].callback(None)
    assert is_pending(settled)
    bench.begun["b"].callback(None)
    outcome(settled)
    outcome(Task(bench.uploads.settle()).done)


def test_one_that_needs_no_waiting_is_told_at_once() -> None:
    async def at_once() -> None:
        """Publish."""

    bench = Bench()
    bench.uploads.begin("a", "a", Task(at_once()))
    assert bench.told == [("a", "None")]
