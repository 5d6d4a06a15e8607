"""The numbers of keys in a section of a shared table, in one process with several mappings."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftpservice.concurrency import table_section
from ftpservice.concurrency.shared_table import SharedTable
from ftpservice.concurrency.table_layout import BUCKET_SLOTS, RecordLayout
from ftpservice.concurrency.table_lock import TableBusy, TableFull
from ftpservice.concurrency.table_section import TableSection
from ftpservice.linux import is_byte_locked

COLUMNS = 4
SMALL = RecordLayout("small", fields=2, slots=BUCKET_SLOTS)
"""One bucket: every key has the same lock."""
SETTLED = RecordLayout("settled", fields=2, values=1, slots=256, settled=(1,))
FORGETTING = RecordLayout("forgetting", fields=1, values=2, slots=BUCKET_SLOTS, oldest=1)
RECORDS = (SMALL, SETTLED, FORGETTING)


@pytest.fixture
def tables() -> Iterator[list[SharedTable]]:
    """The mappings of one table: each has a column, and locks of its own."""
    first = SharedTable.create(RECORDS, COLUMNS)
    others = [SharedTable.attach(first.descriptor, first.claim_column()) for _ in range(2)]
    yield [first, *others]
    for table in [first, *others]:
        table.close()


def add(section: TableSection, key: bytes, amount: int = 1, field: int = 0) -> None:
    with section.lock(key) as record:
        record.add(field, amount)


def test_what_counts_is_the_sum_over_the_columns(tables: list[SharedTable]) -> None:
    for amount, table in enumerate(tables, 1):
        add(table.section("small"), b"key", amount)
    for amount, table in enumerate(tables, 1):
        section = table.section("small")
        assert section.total(b"key", 0) == 6
        assert section.total(b"key", 1) == section.total(b"other", 0) == 0
        with section.lock(b"key") as record:
            assert (record.total(0), record.own(0), record.exists) == (6, amount, True)
            assert record.columns(0) == (1, 2, 3, 0)


def test_far_below_a_limit_no_lock_is_needed(tables: list[SharedTable]) -> None:
    one, two = (table.section("small") for table in tables[:2])
    assert not one.add_below(b"key", 0, 1, 100)  # it has no slot yet
    add(one, b"key")
    with two.lock(b"other"):  # all keys of the section have the same lock
        assert one.add_below(b"key", 0, 1, 100)
        assert one.add_below(b"key", 0, 2, 0)
        assert not one.add_below(b"key", 1, 1, 0)  # it holds nothing of this field
        one.give_back(b"key", 0)
    assert not two.add_below(b"key", 0, 1, 100)
    assert two.total(b"key", 0) == 3


def test_near_a_limit_nothing_is_added_without_a_lock(tables: list[SharedTable]) -> None:
    one, limit = tables[0].section("small"), 10
    add(one, b"key")
    while one.add_below(b"key", 0, 1, limit):
        pass
    assert one.total(b"key", 0) + COLUMNS == limit


def test_one_that_is_added_by_another_process_meanwhile_counts(tables: list[SharedTable]) -> None:
    """The sum is read again after this process has added."""
    one, two = (table.section("small") for table in tables[:2])
    add(one, b"key")
    add(two, b"key")
    real = one.sums

    class Sums:
        def unpack_from(self, *where: Any) -> tuple[int, ...]:
            found = real.unpack_from(*where)
            assert two.add_below(b"key", 0, 1, 0)
            return found

    one.sums = Sums()  # type: ignore[assignment]
    limit = 2 + COLUMNS
    assert not one.add_below(b"key", 0, 1, limit)
    one.sums = real
    assert one.columns_of(b"key", 0)[0] == 1


def test_a_key_is_claimed_by_one_process(tables: list[SharedTable]) -> None:
    one, two = (table.section("small") for table in tables[:2])
    assert one.claim(b"key", 1)
    assert not two.claim(b"key", 1)
    assert not one.claim(b"key", 1)
    one.give_back(b"key", 1)
    assert two.claim(b"key", 1)
    assert two.columns_of(b"key", 1) == (0, 1, 0, 0)
    assert two.claim(b"key", 0)
    with two.lock(b"other"), pytest.raises(TableBusy, match="another key"):
        two.claim(b"third", 0)


def test_values_are_read_and_changed_together(tables: list[SharedTable]) -> None:
    one, two = (table.section("forgetting") for table in tables[:2])
    with one.lock(b"key") as record:
        assert record.values() == ()
        record.set_values(7, 8)
    with two.lock(b"key") as record:
        assert record.values() == (7, 8)
        assert (record.value(0), record.value(1)) == (7, 8)


def test_a_key_that_is_only_read_gets_no_slot(tables: list[SharedTable]) -> None:
    with tables[0].section("settled").lock(b"key") as record:
        assert not record.exists
        assert (record.total(0), record.own(0), record.value(0), record.columns(0)) == (0, 0, 0, ())
    assert tables[0].section(SETTLED.name).used_slots == 0


def test_a_slot_whose_numbers_are_0_is_free(tables: list[SharedTable]) -> None:
    one, two = (table.section("settled") for table in tables[:2])
    add(one, b"key")
    add(two, b"key", field=1)
    with two.lock(b"key") as record:
        record.set_value(0, 5)
    add(one, b"key", -1)
    add(two, b"key", -1, field=1)
    assert tables[0].section(SETTLED.name).used_slots == 1
    with one.lock(b"key") as record:
        assert record.value(0) == 5
        record.set_value(0, 0)
    assert tables[0].section(SETTLED.name).used_slots == 0


def test_a_full_section_refuses_a_new_key_and_keeps_the_counts(tables: list[SharedTable]) -> None:
    one, two = (table.section("small") for table in tables[:2])
    keys = [b"%d" % number for number in range(BUCKET_SLOTS)]
    for key in keys:
        add(one, key)
    for section in (one, two):
        with pytest.raises(TableFull, match="no room for another key in small"):
            add(section, b"more")
    assert [two.total(key, 0) for key in keys] == [1] * BUCKET_SLOTS
    assert two.total(b"more", 0) == 0
    add(two, keys[0])  # it has a slot
    one.give_back(keys[1], 0)
    add(two, b"more")
    assert two.total(b"more", 0) == 1


def test_a_slot_that_was_left_blank_by_a_killed_process_is_used(tables: list[SharedTable]) -> None:
    section = tables[0].section("small")
    for number in range(BUCKET_SLOTS):
        add(section, b"%d" % number)
    place = section.find(section._place(b"7"))  # as if killed while it removed 7
    section.cells[place] = 0
    add(tables[1].section("small"), b"more")
    assert section.total(b"more", 0) == 1
    assert section.total(b"7", 0) == 0
    assert section.total(b"8", 0) == 1


def test_the_oldest_key_without_counts_is_forgotten_where_the_layout_says_so(
    tables: list[SharedTable],
) -> None:
    section = tables[0].section("forgetting")
    for number in range(BUCKET_SLOTS):
        with section.lock(b"%d" % number) as record:
            record.set_value(0, 9)
            record.set_value(1, 1000 - number)
    oldest, next_oldest = b"%d" % (BUCKET_SLOTS - 1), b"%d" % (BUCKET_SLOTS - 2)
    add(tables[1].section("forgetting"), oldest)  # in use
    with section.lock(b"more") as record:
        record.set_value(1, 2000)
        assert (record.value(0), record.total(0)) == (0, 0)
    with section.lock(next_oldest) as record:
        assert not record.exists
    with section.lock(oldest) as record:
        assert (record.value(0), record.total(0)) == (9, 1)


def test_nothing_in_use_is_forgotten(tables: list[SharedTable]) -> None:
    section = tables[0].section("forgetting")
    for number in range(BUCKET_SLOTS):
        add(section, b"%d" % number)
    with pytest.raises(TableFull), section.lock(b"more") as record:
        record.set_value(1, 2000)


def test_tens_of_thousands_of_keys_take_bounded_memory(tables: list[SharedTable]) -> None:
    section = tables[0].section("forgetting")
    for number in range(20_000):
        with section.lock(b"%d" % number) as record:
            record.set_value(1, number + 1)
    assert tables[0].section(FORGETTING.name).used_slots == BUCKET_SLOTS
    assert len(section._known) <= table_section.MAX_KNOWN_KEYS
    with section.lock(b"19999") as record:
        assert record.value(1) == 20_000


def test_keys_whose_tags_collide_in_one_half_are_different_keys(tables: list[SharedTable]) -> None:
    real = table_section.blake2b

    class Colliding:
        """The hash of a key, with the same lower half of the tag for all keys."""

        def __init__(self, data: bytes, **options: object) -> None:
            self.bytes = real(data, **options).digest()  # type: ignore[arg-type]

        def digest(self) -> bytes:
            return bytes(8) + self.bytes[8:]

    with patch.object(table_section, "blake2b", Colliding):
        one, two = (table.section("small") for table in tables[:2])
        for number in range(20):
            add(one, b"%d" % number, number + 1)
        assert [two.total(b"%d" % number, 0) for number in range(21)] == [*range(1, 21), 0]
        for number in range(0, 20, 2):
            one.give_back(b"%d" % number, 0, number + 1)
        expected = [0 if number % 2 == 0 else number + 1 for number in range(20)]
        assert [two.total(b"%d" % number, 0) for number in range(20)] == expected


def test_a_lock_excludes_other_processes(tables: list[SharedTable]) -> None:
    one, two = (table.section("small") for table in tables[:2])
    with one.lock(b"key") as record:
        record.add(0, 1)
        with pytest.raises(TableBusy), two.lock(b"key"):
            pass
    add(two, b"key")
    assert one.total(b"key", 0) == 2


def test_only_one_key_of_a_section_can_be_locked_at_a_time(tables: list[SharedTable]) -> None:
    section = tables[0].section("small")
    with section.lock(b"key"):
        with pytest.raises(TableBusy, match="another key"), section.lock(b"other"):
            pass
        with tables[0].section("settled").lock(b"key") as other:  # another section
            other.add(0, 1)
    add(section, b"key")


def test_an_error_releases_the_lock(tables: list[SharedTable]) -> None:
    one, two = (table.section("small") for table in tables[:2])
    with pytest.raises(KeyError), one.lock(b"key"):
        raise KeyError
    add(two, b"key")


def test_an_error_while_a_key_is_looked_for_releases_the_lock(tables: list[SharedTable]) -> None:
    one, two = (table.section("small") for table in tables[:2])
    with (
        patch.object(one, "find", side_effect=MemoryError),
        pytest.raises(MemoryError),
        one.lock(b"key"),
    ):
        pass
    add(two, b"key")
    add(one, b"key")


def test_an_error_while_a_slot_is_freed_releases_the_lock(tables: list[SharedTable]) -> None:
    one, two = (table.section("small") for table in tables[:2])
    add(one, b"key")
    with patch.object(one, "free_if_blank", side_effect=MemoryError):
        with pytest.raises(MemoryError), one.lock(b"key"):
            pass
        with pytest.raises(MemoryError):
            one.give_back(b"key", 0)
    add(two, b"key")
    add(one, b"key")


def test_a_table_that_was_closed_locks_nothing_in_another_file() -> None:
    """The number of its descriptor may be that of another file by now."""
    table = SharedTable.create(RECORDS, COLUMNS)
    section, number = table.section("small"), table.descriptor
    add(section, b"key")
    table.close()
    made = os.memfd_create("another")
    reused = os.dup2(made, number)
    other = os.open(f"/proc/self/fd/{reused}", os.O_RDWR)
    try:
        for step in (section.lock(b"key").__enter__, partial(section.claim, b"key", 0)):
            with pytest.raises(ValueError):
                step()
            assert not section.is_locked
            assert not is_byte_locked(other, section._place(b"key").mark)
    finally:
        for descriptor in {made, other, reused}:
            os.close(descriptor)


@pytest.mark.parametrize("step", ["claim", "give back", "lock", "clear"])
def test_what_is_given_back_within_any_step_leaves_the_lock_to_it(
    tables: list[SharedTable], step: str
) -> None:
    """A finalizer may run in the middle of a step; all keys here have the same lock."""
    one, two = (table.section("small") for table in tables[:2])
    add(one, b"key")
    add(one, b"held")
    add(two, b"two")
    seen: list[bool] = []
    real = TableSection.find if step == "claim" else TableSection.free_if_blank

    def finalizing(section: TableSection, *words: Any) -> Any:
        if not seen:
            seen.append(False)
            one.give_back(b"held", 0)
            with pytest.raises(TableBusy), two.lock(b"key"):
                pass
            seen.append(True)
        return real(section, *words)

    with patch.object(TableSection, real.__name__, finalizing):
        if step == "claim":
            one.claim(b"other", 1)
        elif step == "give back":
            one.give_back(b"key", 0)
        elif step == "lock":
            add(one, b"key")
        else:
            tables[0].clear_column(1)
    assert seen == [False, True]
    assert not one.is_locked
    assert one.total(b"held", 0) == 0


def test_what_was_held_is_given_back_while_another_process_has_the_lock(
    tables: list[SharedTable],
) -> None:
    one, two = (table.section("small") for table in tables[:2])
    add(one, b"key", 2)
    with two.lock(b"key") as record:
        one.give_back(b"key", 0)
        assert record.total(0) == 1
        one.give_back(b"key", 0)
        assert record.total(0) == 0
    assert tables[0].section(SMALL.name).used_slots == 0, "freed by the process that had the lock"
    one.give_back(b"key", 0)  # a key without a slot
    assert one.total(b"key", 0) == 0


def test_what_was_held_is_given_back_within_a_lock_of_the_same_process(
    tables: list[SharedTable],
) -> None:
    section = tables[0].section("small")
    add(section, b"key")
    with section.lock(b"other"):
        section.give_back(b"key", 0)
    assert section.total(b"key", 0) == 0


KEYS = [b"a", b"b", b"c", b"d"]
STEPS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from(KEYS),
        st.sampled_from(["take", "release", "settle", "value", "die"]),
    ),
    max_size=60,
)
LIMIT = 3


class Model:
    """Three mappings of a table, and what they are to show."""

    def __init__(self) -> None:
        self.first = SharedTable.create(RECORDS, COLUMNS)
        self.tables = [self.first, self._attached(), self._attached()]
        self.held = {(who, key): 0 for who in range(3) for key in KEYS}
        self.settled, self.values = dict.fromkeys(KEYS, 0), dict.fromkeys(KEYS, 0)

    def _attached(self) -> SharedTable:
        return SharedTable.attach(self.first.descriptor, self.first.claim_column())

    def in_all(self, key: bytes) -> int:
        return sum(self.held[who, key] for who in range(3))

    def take(self, who: int, key: bytes) -> None:
        with self.tables[who].section("settled").lock(key) as record:
            if record.total(0) < LIMIT:
                record.add(0, 1)
                self.held[who, key] += 1

    def release(self, who: int, key: bytes) -> None:
        if self.held[who, key]:
            self.tables[who].section("settled").give_back(key, 0)
            self.held[who, key] -= 1

    def settle(self, who: int, key: bytes) -> None:
        add(self.tables[who].section("settled"), key, 10, field=1)
        self.settled[key] += 10

    def value(self, who: int, key: bytes) -> None:
        self.values[key] += 1
        with self.tables[who].section("settled").lock(key) as record:
            record.set_value(0, self.values[key])

    def die(self, who: int, _key: bytes) -> None:
        if who:
            self.tables[who].close()
            self.first.clear_column(self.tables[who].column)
            self.tables[who] = self._attached()
            self.held |= {(who, key): 0 for key in KEYS}

    def check(self, who: int) -> None:
        for key in KEYS:
            with self.tables[who].section("settled").lock(key) as record:
                assert record.total(0) == self.in_all(key) <= LIMIT
                assert (record.total(1), record.value(0)) == (self.settled[key], self.values[key])

    def close(self) -> None:
        used = sum(bool(self.settled[k] or self.values[k] or self.in_all(k)) for k in KEYS)
        assert self.first.section(SETTLED.name).used_slots == used
        for table in self.tables:
            table.close()


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_any_order_of_steps_counts_like_a_model(steps: list[tuple[int, bytes, str]]) -> None:
    """Three processes take places up to a limit, give them back, settle and die in any order."""
    model = Model()
    for who, key, step in steps:
        getattr(model, step)(who, key)
        model.check(who)
    model.close()


def test_the_descriptor_of_the_caller_is_kept(tables: list[SharedTable]) -> None:
    assert len({table.descriptor for table in tables}) == 3
    for table in tables:
        os.fstat(table.descriptor)
