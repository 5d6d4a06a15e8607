"""Places of sessions that several processes count together."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from twisted.internet.task import Clock

from ftpservice.concurrency.shared_table import SharedTable
from ftpservice.concurrency.table_layout import BUCKET_SLOTS, RecordLayout
from ftpservice.session.session_limits import SessionLimits
from ftpservice.session.shared.peer_requests import PeerRequests
from ftpservice.session.shared.table_session_limits import SESSION_PLACES, TableSessionLimits
from tests.support.table_processes import TableProcess

PROCESSES = 3


@pytest.fixture
def table() -> Iterator[SharedTable]:
    """A table with room for some processes."""
    made = SharedTable.create([SESSION_PLACES], 8)
    yield made
    made.close()


@pytest.fixture
def limits(table: SharedTable) -> list[TableSessionLimits]:
    """The limits as several processes have them."""
    return [limits_of(table), *(limits_of(attached(table)) for _ in range(PROCESSES - 1))]


def attached(table: SharedTable) -> SharedTable:
    return SharedTable.attach(table.descriptor, table.claim_column())


def limits_of(table: SharedTable) -> TableSessionLimits:
    clock = Clock()
    peers = PeerRequests(lambda _column, _message: None, clock)
    return TableSessionLimits(table.section(SESSION_PLACES.name), peers, clock)


def test_the_sessions_of_all_processes_count(limits: list[TableSessionLimits]) -> None:
    assert [one.take("user", "ann", 2) for one in limits] == [True, True, False]
    assert [one.taken("user", "ann") for one in limits] == [2, 2, 2]
    limits[0].release("user", "ann")
    assert limits[2].take("user", "ann", 2)


def test_a_limit_of_0_is_none_and_counts(limits: list[TableSessionLimits]) -> None:
    assert all(one.take("all", "", 0) for one in limits * 20)
    assert limits[0].taken("all", "") == 60
    assert not limits[1].take("all", "", 60)


def test_names_that_are_no_unicode_are_counted(limits: list[TableSessionLimits]) -> None:
    assert limits[0].take("user", "\udcff", 1)
    assert not limits[1].take("user", "\udcff", 1)


def test_any_order_of_sessions_is_counted_as_in_one_process(
    limits: list[TableSessionLimits],
) -> None:
    """Like the limits of one process, whatever process each session is in."""
    choose, one = random.Random(3), SessionLimits()
    held: Counter[tuple[int, str, str]] = Counter()
    for _ in range(3000):
        who, kind = choose.randrange(PROCESSES), choose.choice(["all", "address", "user"])
        name = "" if kind == "all" else choose.choice("abcdef")
        if choose.random() < 0.6:
            limit = choose.choice([0, 3, 5])
            taken = one.take(kind, name, limit)
            assert limits[who].take(kind, name, limit) is taken
            held[who, kind, name] += taken
        elif held[who, kind, name]:
            held[who, kind, name] -= 1
            one.release(kind, name)
            limits[who].release(kind, name)
        assert limits[choose.randrange(PROCESSES)].taken(kind, name) == one.taken(kind, name)


def test_without_room_a_session_with_a_limit_is_refused_and_another_one_is_not() -> None:
    small = RecordLayout(SESSION_PLACES.name, SESSION_PLACES.fields, slots=BUCKET_SLOTS)
    table = SharedTable.create([small], 2)
    limits = limits_of(table)
    for number in range(BUCKET_SLOTS):
        assert limits.take("address", str(number), 1)
    assert not limits.take("address", "more", 1)
    assert limits.take("address", "more", 0) and limits.take("address", "more", 0)
    limits.release("address", "more")
    limits.release("address", "more")
    assert [limits.taken("address", str(number)) for number in range(BUCKET_SLOTS)] == [
        1
    ] * BUCKET_SLOTS
    limits.release("address", "0")
    assert limits.take("address", "more", 1)
    assert not limits.take("address", "more", 1)
    limits.release("address", "more")
    assert limits.taken("address", "more") == 0
    table.close()


SESSIONS = """
from twisted.internet.task import Clock
from ftpservice.session.shared.peer_requests import PeerRequests
from ftpservice.session.shared.table_session_limits import TableSessionLimits
peers = PeerRequests(lambda column, message: None, Clock())
limits = TableSessionLimits(table.section("session places"), peers, Clock())
for line in sys.stdin:
    tries, limit = map(int, line.split())
    say(sum(limits.take("user", "ann", limit) for _ in range(tries)))
"""


def test_the_places_of_a_killed_process_are_free_when_its_column_is_cleared(
    table: SharedTable,
) -> None:
    with ExitStack() as stack:
        pair = [stack.enter_context(TableProcess(table, SESSIONS)) for _ in range(2)]
        for number, process in enumerate(pair):
            process.tell("5 6")
            assert process.line() == ("5", "1")[number]
        pair[0].kill()
        assert not limits_of(table).take("user", "ann", 6)
        table.clear_column(pair[0].column)
        assert limits_of(table).taken("user", "ann") == 1
        pair[1].tell("9 6")
        assert pair[1].line() == "5"


@pytest.mark.parametrize("step", [7, 60])
def test_racing_processes_get_exactly_the_limit(table: SharedTable, step: int) -> None:
    """With some tries more than there are places, near the limit and far below it."""
    limits = limits_of(table)
    with ExitStack() as stack:
        racers = [stack.enter_context(TableProcess(table, SESSIONS)) for _ in range(3)]
        before = 0
        for limit in range(step, step * 50, step):
            for racer in racers:
                racer.tell(f"{step - 2} {limit}")
            assert sum(int(racer.line()) for racer in racers) == limit - before
            assert limits.taken("user", "ann") == before + step
            before = limit
