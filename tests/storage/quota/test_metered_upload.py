"""Uploads that threads write to, and commits in batches, under a quota."""

import os

import pytest
from twisted.internet.defer import CancelledError, Deferred

from ftpservice.storage.batch_commit import commit_batch
from ftpservice.storage.errors import QuotaExceeded
from ftpservice.storage.interfaces import ISpliceTarget, WriteRequest
from ftpservice.storage.quota.account import QuotaAccount
from ftpservice.storage.quota.book import QuotaBook
from ftpservice.storage.quota.ledgers.ledger import QuotaLimits
from ftpservice.storage.quota.metered_storage import MeteredStorage
from ftpservice.storage.quota_interfaces import ITreeUsage
from ftpservice.testing.contract.case import begin_upload, create_file, path_at
from tests.support.local_source import Bench, run
from tests.support.memory_transport import start


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path)
    made.book = QuotaBook(made.clock)
    place = ITreeUsage(made.storage).place
    made.metered = MeteredStorage(
        QuotaAccount.of(made.storage, made.book, "one", place, QuotaLimits(100, 5))
    )
    [tree] = made.book.trees.values()
    made.ledger = tree.ledger
    return made


class Peer:
    """Writes what a peer sends, as a turn of a thread does."""

    def __init__(self, size):
        self.left = size
        self.asked = []

    def turn(self, descriptor, most=1 << 30):
        self.asked.append(most)
        size = min(self.left, most)
        os.write(descriptor, bytes(size))
        self.left -= size
        return size, "more" if size else "ended"


def test_a_turn_writes_no_more_than_is_left(bench):
    writing = run(begin_upload(bench.metered, "/a", b"123"))
    target, peer = ISpliceTarget(writing), Peer(97)
    assert run(target.with_descriptor(peer.turn)) == (97, "more")
    assert run(target.with_descriptor(peer.turn)) == (0, "ended")  # the file fits exactly
    assert peer.asked == [97, 1]
    assert run(writing.commit()).size == 100
    assert (bench.ledger.size, bench.ledger.files) == (100, 1)


def test_one_byte_too_many_is_noticed_and_nothing_is_kept(bench):
    writing = run(begin_upload(bench.metered, "/a"))
    target, peer = ISpliceTarget(writing), Peer(101)
    run(target.with_descriptor(peer.turn))
    with pytest.raises(QuotaExceeded):
        run(target.with_descriptor(peer.turn))
    run(writing.abandon())
    assert os.listdir(bench.root) == []
    assert (bench.ledger.size, bench.ledger.files) == (0, 0)


def test_what_a_turn_does_not_use_is_given_back(bench):
    writing = run(begin_upload(bench.metered, "/a"))
    run(ISpliceTarget(writing).with_descriptor(Peer(10).turn))
    assert bench.ledger.held_size == 10
    run(create_file(bench.metered, "/b", bytes(90)))


def test_what_is_announced_stays_held_between_turns(bench):
    writing = run(begin_upload(bench.metered, "/a", request=WriteRequest(announced=60)))
    target, peer = ISpliceTarget(writing), Peer(60)
    run(target.with_descriptor(lambda descriptor, most: Peer(10).turn(descriptor, most)))
    assert bench.ledger.held_size == 60
    run(target.with_descriptor(peer.turn))
    assert peer.asked == [50]
    run(writing.abandon())
    assert bench.ledger.size == 60


def test_a_turn_over_a_file_may_use_the_room_of_that_file(bench):
    run(create_file(bench.metered, "/a", bytes(100)))
    writing = run(begin_upload(bench.metered, "/a"))
    target, peer = ISpliceTarget(writing), Peer(100)
    run(target.with_descriptor(peer.turn))
    assert run(writing.commit()).size == 100
    assert (bench.ledger.size, bench.ledger.files) == (100, 1)


def test_commits_in_a_batch_are_settled(bench):
    run(create_file(bench.metered, "/a", b"old one"))
    writings = [run(begin_upload(bench.metered, f"/{name}", b"12345")) for name in "abc"]
    calls = []
    real, bench.pool.run = (
        bench.pool.run,
        lambda *words, **more: (calls.append(words[0]), real(*words, **more))[1],
    )
    outcomes = run(commit_batch(writings))
    assert [entry.size for entry in outcomes] == [5, 5, 5]
    assert len(calls) == 1
    assert (bench.ledger.size, bench.ledger.files) == (15, 3)
    assert (bench.ledger.held_size, bench.ledger.held_files) == (0, 0)


def test_a_batch_waits_for_a_change_of_the_same_name(bench):
    writings = [run(begin_upload(bench.metered, f"/{name}", b"12345")) for name in "ab"]
    change = bench.metered._account.change(path_at("/a"))
    assert change.try_enter()
    from twisted.internet.defer import Deferred

    committing = Deferred.fromCoroutine(commit_batch(writings))
    assert (bench.root / "b").exists()
    assert not committing.called
    change.leave()
    assert committing.called
    assert (bench.ledger.size, bench.ledger.files) == (10, 2)


def test_abandoning_waits_for_a_commit_whose_caller_was_cancelled(bench):
    run(create_file(bench.metered, "/a", b"old"))
    writing = run(begin_upload(bench.metered, "/a", b"the new content"))
    held = Deferred()
    inner, writing.inner = writing.inner, HeldCommit(writing.inner, held)
    committing = start(writing.commit())
    committing.cancel()
    committing.addErrback(lambda failure: failure.trap(CancelledError) and None)
    abandoning = start(writing.abandon())
    assert not abandoning.called
    held.callback(None)
    assert abandoning.called
    assert inner.replaced_size == 3
    assert (bench.ledger.size, bench.ledger.files) == (15, 1)


class HeldCommit:
    """An upload whose commit begins when ``held`` fires."""

    def __init__(self, inner, held):
        self._inner, self._held = inner, held

    async def commit(self):
        await self._held
        return await self._inner.commit()

    def __getattr__(self, name):
        return getattr(self._inner, name)

    def __conform__(self, interface):
        return interface(self._inner, None)
