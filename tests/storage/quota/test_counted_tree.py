"""When trees are counted, and which counts are valid."""

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from zope.interface import implementer

from ftpservice.storage.errors import Busy, Unavailable
from ftpservice.storage.quota.book import QuotaBook
from ftpservice.storage.quota.change import Change
from ftpservice.storage.quota.counted_tree import (
    COUNT_TIMEOUT_SECONDS,
    LOGIN_RECOUNT_SECONDS,
    RECENT_SECONDS,
    ledger_text,
)
from ftpservice.storage.quota.ledgers.ledger import QuotaLimits
from ftpservice.storage.quota_interfaces import ITreeUsage, TreeUsage
from ftpservice.wire.paths import ROOT

PLACE = ("tree", "ann")


@implementer(ITreeUsage)
class Counted:
    """A storage whose counts the test answers."""

    place = PLACE

    def __init__(self):
        self.counts = []

    def tree_usage(self, path):
        assert path == ROOT
        self.counts.append(Deferred())
        return self.counts[-1]

    def found(self, size, files):
        self.counts.pop(0).callback(TreeUsage(size, files))


class Bench:
    def __init__(self):
        self.clock, self.storage = Clock(), Counted()
        self.book = QuotaBook(self.clock, 600)
        self.tree = self.book.enter(PLACE, self.storage)

    def sums(self):
        return self.tree.ledger.size, self.tree.ledger.files

    def change(self):
        made = Change(self.book.changes, (*PLACE, "file"))
        assert made.try_enter()
        return made


@pytest.fixture
def bench():
    return Bench()


def started(coroutine):
    results = []
    Deferred.fromCoroutine(coroutine).addBoth(results.append)
    return results


def test_a_ledger_begins_with_a_count(bench):
    waiting = started(bench.tree.when_counted(ROOT))
    assert waiting == []
    bench.storage.found(7, 2)
    assert waiting == [None]
    assert bench.sums() == (7, 2)
    assert started(bench.tree.when_counted(ROOT)) == [None]


def test_uploads_do_not_wait_for_a_long_count_for_ever(bench):
    waiting = started(bench.tree.when_counted(ROOT))
    bench.clock.advance(COUNT_TIMEOUT_SECONDS - 1)
    assert waiting == []
    bench.clock.advance(1)
    assert waiting[0].check(Busy)
    bench.storage.found(7, 2)
    assert started(bench.tree.when_counted(ROOT)) == [None]


def test_a_count_that_fails_is_tried_again_by_the_next_upload(bench):
    waiting = started(bench.tree.when_counted(ROOT))
    bench.storage.counts.pop(0).errback(Unavailable(ROOT))
    assert waiting[0].check(Busy)
    waiting = started(bench.tree.when_counted(ROOT))
    bench.storage.found(7, 2)
    assert waiting == [None]


@pytest.mark.parametrize(
    ("place", "text"),
    [
        (("account", "ann", "/ann", ()), "'ann'"),
        (("local", "srv", "ftp"), "local:/srv/ftp"),
        ((Clock(), "a"), "Clock:/a"),
    ],
)
def test_an_error_of_a_count_names_the_account_or_the_directory(place, text):
    assert ledger_text(place) == text


def test_a_count_during_which_something_changed_is_repeated(bench):
    change = bench.change()
    change.leave()
    bench.storage.found(1, 1)
    assert not bench.tree.counts.is_counted
    bench.storage.found(2, 2)
    assert bench.sums() == (2, 2)


def test_after_three_disturbed_counts_changes_wait(bench):
    for size in range(3):
        bench.change().leave()
        last = bench.change() if size == 2 else None
        bench.storage.found(size, 1)
    assert bench.tree.counts.is_exclusive
    assert bench.storage.counts == []  # the change in progress ends first
    other = Change(bench.book.changes, (*PLACE, "other"))
    assert not other.try_enter()
    entering = started(other.__aenter__())
    last.leave()
    assert entering == []
    bench.storage.found(50, 5)
    assert bench.sums() == (50, 5)
    assert entering == [other]
    other.leave()
    assert bench.tree.counts.changes == 0


def test_trees_in_use_are_counted_at_intervals(bench):
    bench.storage.found(1, 1)
    bench.clock.advance(600)
    bench.storage.found(9, 3)
    assert bench.sums() == (9, 3)
    bench.clock.advance(600)
    bench.storage.found(10, 3)
    assert bench.sums() == (10, 3)


def test_a_tree_that_nothing_uses_is_forgotten(bench):
    bench.storage.found(1, 1)
    bench.tree.storages.clear()
    bench.clock.advance(600)
    assert bench.book.trees == {}
    assert bench.clock.getDelayedCalls() == []


def test_a_login_after_a_time_without_sessions_counts_again(bench):
    bench.storage.found(1, 1)
    bench.tree.storages.clear()
    bench.clock.advance(LOGIN_RECOUNT_SECONDS - 1)
    bench.book.enter(PLACE, bench.storage)
    assert bench.storage.counts == []
    bench.tree.storages.clear()
    bench.clock.advance(1)
    bench.book.enter(PLACE, bench.storage)
    bench.storage.found(2, 2)
    assert bench.sums() == (2, 2)


def test_a_count_on_request_begins_after_the_request(bench):
    counting = started(bench.tree.count())
    bench.storage.found(1, 1)
    assert counting == []
    bench.storage.found(2, 2)
    assert counting == [None]
    assert bench.sums() == (2, 2)


def test_a_count_on_request_that_fails_is_told_although_there_was_one_before(bench):
    bench.storage.found(7, 2)
    bench.clock.advance(RECENT_SECONDS + 1)
    waiting = started(bench.tree.count())
    bench.storage.counts.pop(0).errback(Unavailable(ROOT))
    waiting[0].trap(Busy)
    assert bench.sums() == (7, 2)


def test_a_count_is_recent_for_as_long_as_it_was_long(bench):
    bench.clock.advance(1)
    bench.storage.found(1, 1)
    bench.clock.advance(20)
    assert bench.tree.is_recent
    bench.clock.advance(0.5)
    assert not bench.tree.is_recent


def test_a_doubt_begins_a_count(bench):
    bench.storage.found(1, 1)
    bench.tree.doubt()
    assert not bench.tree.is_recent
    bench.storage.found(2, 2)
    assert bench.sums() == (2, 2)
    assert bench.tree.is_recent


def test_the_state_waits_for_the_count(bench):
    state = started(bench.tree.state(QuotaLimits(10, None)))
    assert state == []
    bench.storage.found(4, 2)
    assert tuple(state[0]) == (4, 2, 10, None)
    assert state[0].size_left == 6


def test_stopping_ends_the_counts(bench):
    bench.storage.found(1, 1)
    bench.book.stop()
    assert bench.clock.getDelayedCalls() == []
