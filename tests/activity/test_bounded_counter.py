"""Counts stay right in sum and bounded in memory."""

from ftpservice.activity.bounded_counter import MAX_NAMES, BoundedCounter


def test_rows_come_heaviest_first():
    tally = BoundedCounter(2)
    tally.add("light", 1, 0)
    tally.add("heavy", 2, 3)
    tally.add("light", 0, 1)
    assert tally.top(5) == [("heavy", (2, 3)), ("light", (1, 1))]
    assert tally.totals() == (3, 4)


def test_rows_beyond_the_maximum_are_summed_up():
    tally = BoundedCounter(1)
    for number in range(5):
        tally.add(f"name{number}", number + 1)
    assert tally.top(2) == [("name4", (5,)), ("name3", (4,)), ("(3 others)", (6,))]


def test_an_empty_tally_has_no_rows_but_totals():
    assert BoundedCounter(3).top(5) == []
    assert BoundedCounter(3).totals() == (0, 0, 0)


def test_invented_names_take_bounded_memory_and_lose_no_count():
    tally = BoundedCounter(1)
    tally.add("owner", 50)
    for number in range(5 * MAX_NAMES):
        tally.add(f"guess{number}", 1)
    assert len(tally._rows) <= MAX_NAMES
    assert tally.totals() == (50 + 5 * MAX_NAMES,)
    rows = tally.top(1)
    assert rows[0] == ("owner", (50,))
    assert rows[1] == (f"({5 * MAX_NAMES} others)", (5 * MAX_NAMES,))


def test_long_names_are_cut():
    tally = BoundedCounter(1)
    tally.add("x" * 4000, 1)
    [(name, _)] = tally.top(1)
    assert len(name) == 64
