"""The numbers of a tree in the table of several processes, also while one keeps a lock."""

import pytest
from twisted.internet.task import Clock

from ftpservice.concurrency.shared_table import SharedTable
from ftpservice.storage.errors import Busy
from ftpservice.storage.quota.ledgers.ledger import Holding
from ftpservice.storage.quota.ledgers.shared_counts import SharedCounts
from ftpservice.storage.quota.ledgers.shared_ledger import SharedLedger
from ftpservice.storage.quota.ledgers.tree_record import POLL_SECONDS, TreeRecord
from ftpservice.storage.quota_interfaces import TreeUsage
from tests.support.shared_books import SMALL_RECORD

HELD = Holding(10, 1, 0, 0)


class Bench:
    """The same tree in two processes."""

    def __init__(self):
        self.clock = Clock()
        self.table = SharedTable.create([SMALL_RECORD], columns=4)
        self.other = SharedTable.attach(self.table.descriptor, self.table.claim_column())
        self.sections = [one.section(SMALL_RECORD.name) for one in (self.table, self.other)]
        self.records = [TreeRecord(one, b"tree", self.clock) for one in self.sections]
        self.ledgers = [SharedLedger(one) for one in self.records]
        self.counts = [SharedCounts(one, lambda _position: True) for one in self.records]


@pytest.fixture
def bench():
    made = Bench()
    yield made
    made.other.close()
    made.table.close()


def test_what_is_given_back_while_a_lock_is_kept_is_written_later_and_in_order(bench):
    first, second = bench.ledgers
    first.hold(HELD)
    with bench.sections[1].lock(b"tree"):
        first.settle(Holding(-10, -1, 0, 0), 10, 1)
        first.add(-3, 0)
        assert (first.size, first.held_size) == (10, 10)
        with pytest.raises(Busy):
            first.try_hold(HELD, 100, None)
        assert first.used() == (10, 1), "as far as is known"
        assert not bench.counts[0].begin_change()
    bench.clock.advance(POLL_SECONDS)
    assert [(one.size, one.held_size) for one in (first, second)] == 2 * [(7, 0)]
    assert bench.clock.getDelayedCalls() == []


def test_a_turn_and_what_it_holds_are_seen_together(bench):
    first, second = bench.ledgers
    assert first.try_hold(HELD, 10, None, is_turn=True)
    assert not second.try_hold(Holding(1, 0, 0, 0), 10, None)
    assert second.has_turns
    first.end_turn()
    assert not second.has_turns


def test_a_count_is_valid_only_if_no_process_has_changed_something(bench):
    first, second = bench.counts
    assert first.begin_count()
    assert not second.begin_count()
    mark = first.mark()
    assert second.begin_change()
    assert not first.accept(mark, TreeUsage(5, 1), (0, 1))
    second.end_change()
    assert not first.accept(mark, TreeUsage(5, 1), (0, 1))
    first.exclude()
    assert not second.begin_change()
    assert first.accept(first.mark(), TreeUsage(5, 1), (0, 1))
    first.end_count()
    assert second.begin_change()
    assert (second.is_counted, second.took, second.begun, second.ended) == (True, 1, 1, 1)
    assert bench.ledgers[1].used() == (5, 1)
