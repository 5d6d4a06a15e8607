"""Uploads that are published together while the next ones are begun."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from twisted.internet.defer import Deferred

from ftpservice.concurrency.task import Task
from ftpservice.simple.transfers import ReceivedUpload
from ftpservice.simple.upload_batch import MAX_RUNNING_BATCHES, UPLOADS_PER_BATCH, UploadPublisher
from tests.support.memory_transport import is_pending, outcome


class Bench:
    """Batches that end when the test says so."""

    def __init__(self) -> None:
        self.committed: list[str] = []
        self.begun: list[tuple[list[str], Deferred[None]]] = []
        self.uploads = UploadPublisher(self._publish, self._tell)

    async def _publish(self, batch: Sequence[ReceivedUpload]) -> None:
        ending: Deferred[None] = Deferred()
        self.begun.append(([upload.text for upload in batch], ending))
        await ending

    def _tell(self, batch: Sequence[ReceivedUpload]) -> None:
        self.committed += [upload.text for upload in batch]

    @property
    def batches(self) -> list[list[str]]:
        return [texts for texts, _ending in self.begun]

    def end(self, number: int) -> None:
        self.begun[number][1].callback(None)

    def take(self, *texts: str, path: str = "") -> Deferred[None]:
        return Task(self._take(texts, path)).done

    async def _take(self, texts: Sequence[str], path: str) -> None:
        for text in texts:
            await self.uploads.wait_for_room(path or text)
            nothing = cast("Any", None)
            self.uploads.add(ReceivedUpload(path or text, text, b"", nothing, nothing))


def names(count: int, first: int = 0) -> list[str]:
    return [str(number) for number in range(first, first + count)]


def test_they_are_published_together() -> None:
    bench = Bench()
    outcome(bench.take("a", "b"))
    assert bench.begun == []
    bench.uploads.publish_soon()
    assert bench.batches == [["a", "b"]]
    assert bench.uploads.is_running
    bench.end(0)
    assert bench.committed == ["a", "b"]
    assert not bench.uploads.is_running


def test_a_full_batch_waits_for_nothing() -> None:
    bench = Bench()
    outcome(bench.take(*names(UPLOADS_PER_BATCH + 1)))
    assert bench.batches == [names(UPLOADS_PER_BATCH)]


def test_answers_keep_their_order() -> None:
    bench = Bench()
    outcome(bench.take("a"))
    bench.uploads.publish_soon()
    outcome(bench.take("b"))
    bench.uploads.publish_soon()
    bench.end(1)
    assert bench.committed == []
    bench.end(0)
    assert bench.committed == ["a", "b"]


def test_only_so_many_are_on_their_way() -> None:
    bench = Bench()
    waiting = bench.take(*names((MAX_RUNNING_BATCHES + 1) * UPLOADS_PER_BATCH + 1))
    assert is_pending(waiting)
    assert len(bench.begun) == MAX_RUNNING_BATCHES
    bench.end(0)
    outcome(waiting)
    assert len(bench.begun) == MAX_RUNNING_BATCHES + 1
    assert bench.committed == names(UPLOADS_PER_BATCH)


def test_one_that_could_not_be_sent_is_sent_when_there_is_room() -> None:
    bench = Bench()
    for text in names(MAX_RUNNING_BATCHES + 1):
        outcome(bench.take(text))
        bench.uploads.publish_soon()
    assert len(bench.begun) == MAX_RUNNING_BATCHES
    bench.end(0)
    assert bench.batches[-1] == [str(MAX_RUNNING_BATCHES)]


def test_one_name_has_one_at_a_time() -> None:
    bench = Bench()
    waiting = bench.take("first", "second", path="a")
    assert bench.batches == [["first"]]
    assert is_pending(waiting)
    bench.end(0)
    outcome(waiting)
    bench.uploads.publish_soon()
    bench.end(1)
    assert bench.committed == ["first", "second"]


def test_settling_waits_for_all() -> None:
    bench = Bench()
    outcome(bench.take(*names(UPLOADS_PER_BATCH + 1)))
    settled = [Task(bench.uploads.wait_until_done()).done for _ in range(2)]
    assert len(bench.begun) == 2
    bench.end(0)
    assert all(map(is_pending, settled))
    bench.end(1)
    for one in settled:
        outcome(one)
    outcome(Task(bench.uploads.wait_until_done()).done)


def test_at_the_end_all_are_sent() -> None:
    bench = Bench()
    outcome(bench.take(*names(MAX_RUNNING_BATCHES * UPLOADS_PER_BATCH + 1)))
    bench.uploads.publish_now()
    assert len(bench.begun) == MAX_RUNNING_BATCHES + 1


def test_uploads_that_end_at_once_are_answered_at_once() -> None:
    async def at_once(_batch: Sequence[ReceivedUpload]) -> None:
        """Publish."""

    bench = Bench()
    bench.uploads = UploadPublisher(at_once, bench._tell)
    outcome(bench.take("a"))
    outcome(Task(bench.uploads.wait_until_done()).done)
    assert bench.committed == ["a"]
