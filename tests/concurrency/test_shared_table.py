"""Shared tables: columns, and real processes that count, race and are killed."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from ftpservice.concurrency.shared_table import SharedTable
from ftpservice.concurrency.table_layout import BUCKET_SLOTS, RecordLayout
from ftpservice.concurrency.table_lock import TableBusy, TableFull
from tests.support.frozen_process import freeze
from tests.support.table_processes import TableProcess

PLACES = RecordLayout("places", fields=1, slots=1024)
SUMS = RecordLayout("sums", fields=2, values=1, slots=1024, settled=(1,))


@pytest.fixture
def table() -> Iterator[SharedTable]:
    """A table with ten columns."""
    made = SharedTable.create([PLACES, SUMS], 10)
    yield made
    made.close()


def total(table: SharedTable, key: bytes, section: str = "places", field: int = 0) -> int:
    return table.section(section).total(key, field)


def test_columns_are_claimed_and_free_again_when_cleared(table: SharedTable) -> None:
    assert [table.claim_column() for _ in range(9)] == list(range(1, 10))
    with pytest.raises(TableFull):
        table.claim_column()
    table.clear_column(4)
    assert table.claimed_columns == frozenset(range(10)) - {4}
    assert table.claim_column() == 4


def test_a_process_does_not_clear_its_own_column(table: SharedTable) -> None:
    with pytest.raises(ValueError, match="own column"):
        table.clear_column(0)


def test_what_is_settled_stays_when_a_column_is_cleared(table: SharedTable) -> None:
    other = SharedTable.attach(table.descriptor, table.claim_column())
    for mapping, amount in ((table, 1), (other, 10)):
        with mapping.section("sums").lock(b"key") as record:
            record.add(0, amount)
            record.add(1, amount * 2)
    other.close()
    table.clear_column(1)
    assert (total(table, b"key", "sums"), total(table, b"key", "sums", 1)) == (1, 22)
    with table.section("sums").lock(b"key") as record:
        assert (record.own(0), record.own(1)) == (1, 22)


def test_a_table_describes_itself_to_the_processes_that_attach(table: SharedTable) -> None:
    other = SharedTable.attach(table.descriptor, 3)
    assert other.layout == table.layout
    with pytest.raises(KeyError):
        other.section("none")
    other.close()
    for column in (-1, 10):
        with pytest.raises(ValueError, match="no column"):
            SharedTable.attach(table.descriptor, column)


def test_a_file_that_is_no_table_is_refused() -> None:
    descriptor = os.memfd_create("none")
    os.truncate(descriptor, 1 << 20)
    try:
        with pytest.raises(ValueError, match="not a shared table"):
            SharedTable.attach(descriptor, 0)
    finally:
        os.close(descriptor)


def test_an_unused_table_takes_little_memory(table: SharedTable) -> None:
    large = SharedTable.create([RecordLayout("places", fields=2, slots=200_000)], 20)
    assert os.fstat(large.descriptor).st_size > 50 << 20
    large.section("places").total(b"key", 0)
    other = SharedTable.attach(large.descriptor, large.claim_column())
    with other.section("places").lock(b"key") as record:
        record.add(0, 1)
    large.clear_column(other.column)
    assert total(large, b"key") == 0
    assert os.fstat(large.descriptor).st_blocks * 512 < 512 << 10
    other.close()
    large.close()


RACE = """
import json, time
key, limit, tries, rounds, processes = sys.stdin.readline().split()
places, barrier = table.section("places"), table.section("sums")
taken = []
for number in range(int(rounds)):
    name = b"arrived-%d" % number
    with barrier.lock(name) as record:
        record.add(0, 1)
    while barrier.total(name, 0) < int(processes):
        time.sleep(0)
    won = 0
    for _ in range(int(tries)):
        with places.lock(f"{key}-{number}".encode()) as record:
            if record.total(0) < int(limit):
                record.add(0, 1)
                won += 1
    taken.append(won)
say(json.dumps(taken))
sys.stdin.readline()
"""


def test_racing_processes_take_exactly_the_limit_every_time(table: SharedTable) -> None:
    """Four processes try for the same places, 200 times."""
    rounds, limit = 200, 7
    with ExitStack() as stack:
        racers = [stack.enter_context(TableProcess(table, RACE)) for _ in range(4)]
        for racer in racers:
            racer.tell(f"key {limit} 5 {rounds} {len(racers)}")
        taken = [json.loads(racer.line()) for racer in racers]
        assert [sum(won) for won in zip(*taken, strict=True)] == [limit] * rounds
        assert [total(table, b"key-%d" % number) for number in range(rounds)] == [limit] * rounds
        for racer in racers:
            racer.kill()
            table.clear_column(racer.column)
        assert [total(table, b"key-%d" % number) for number in range(rounds)] == [0] * rounds


HOLD = """
with table.section("places").lock(b"key") as record:
    record.add(0, 3)
    say("locked")
    sys.stdin.readline()
"""


def test_the_lock_and_the_counts_of_a_killed_process_are_free_at_once(table: SharedTable) -> None:
    section = table.section("places")
    with section.lock(b"key") as record:
        record.add(0, 1)
    with TableProcess(table, HOLD) as holder:
        assert holder.line() == "locked"
        with pytest.raises(TableBusy), section.lock(b"key"):
            pass
        holder.kill()
        with section.lock(b"key") as record:
            assert record.total(0) == 4
        table.clear_column(holder.column)
        with section.lock(b"key") as record:
            assert record.total(0) == 1


def test_a_stopped_process_delays_others_for_a_bounded_time(table: SharedTable) -> None:
    section = table.section("places")
    with (
        TableProcess(table, HOLD) as holder,
        TableProcess(table, HOLD.replace("key", "x")) as ended,
    ):
        assert holder.line() == "locked"
        freeze(holder.process.pid)
        with pytest.raises(TableBusy), section.lock(b"key"):
            pass
        ended.kill()
        table.clear_column(ended.column)  # returns while the other one is stopped
        holder.process.send_signal(signal.SIGCONT)
        holder.kill()
        table.clear_column(holder.column)
        with section.lock(b"key") as record:
            assert not record.exists


CHURN = """
import random
choose = random.Random(table.column)
section, sums = table.section("places"), table.section("sums")
say("ready")
held = []
while True:
    key = b"%d" % choose.randrange(20)
    with section.lock(key) as record:
        record.add(0, 1)
    held.append(key)
    with sums.lock(key) as record:
        record.add(0, 1)
        record.set_value(0, record.value(0) + 1)
        record.add(0, -1)
    if len(held) > 30:
        section.give_back(held.pop(choose.randrange(30)), 0)
"""


def test_processes_killed_at_any_moment_leave_no_count_behind(table: SharedTable) -> None:
    choose, section = random.Random(7), table.section("places")
    keys = [b"%d" % number for number in range(20)]
    for key in keys:
        with section.lock(key) as record:
            record.add(0, 1)
    for _ in range(12):
        with ExitStack() as stack:
            pair = [stack.enter_context(TableProcess(table, CHURN)) for _ in range(2)]
            assert [one.line() for one in pair] == ["ready", "ready"]
            time.sleep(choose.random() * 0.02)  # a moment to be killed in, at random
            for one in pair:
                one.kill()
                table.clear_column(one.column)
        for key in keys:
            with section.lock(key) as record:
                assert record.total(0) == 1
            with table.section("sums").lock(key) as record:
                assert record.total(0) == 0
    with section.lock(b"new") as record:
        assert not record.exists


def test_slots_are_used_again_by_other_processes(table: SharedTable) -> None:
    """More keys than there are slots, one after the other."""
    code = """
section = table.section("places")
for number in range(5000):
    key = b"%d" % number
    with section.lock(key) as record:
        record.add(0, 1)
    section.give_back(key, 0)
say("done")
"""
    assert PLACES.slots == 16 * BUCKET_SLOTS
    with ExitStack() as stack:
        pair = [stack.enter_context(TableProcess(table, code)) for _ in range(2)]
        assert [one.line() for one in pair] == ["done", "done"]
    with table.section("places").lock(b"1") as record:
        assert not record.exists
