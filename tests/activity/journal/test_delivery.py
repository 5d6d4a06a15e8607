"""Rows are delivered once, and age is measured with a clock that a jump cannot push forward."""

import pytest
from twisted.internet.task import Clock

from ftpservice.activity.journal.delivery import JournalDelivery, JournalLimits
from ftpservice.activity.journal.journal_database import JournalDatabase
from ftpservice.activity.journal.row_texts import joined_rows
from ftpservice.activity.journal.spool import Spool
from tests.support.journal_cases import plan, records_of, transfer

DAY = 86_400.0
NOW = 1_000 * DAY


MADE: list[JournalDelivery] = []


@pytest.fixture(autouse=True)
def closed():
    yield
    while MADE:
        MADE.pop().close()


class World:
    """A delivery on an SQLite database, with clocks that a test moves."""

    def __init__(self, path, limits):
        self.monotonic = Clock()
        self.jump = 0.0
        self.url = plan(path).url
        self.spool = Spool(path, 10_000_000)
        database = ("sql:x", lambda: JournalDatabase(self.url))
        clocks = (lambda: NOW + self.monotonic.seconds() + self.jump, self.monotonic.seconds)
        self.delivery = JournalDelivery(self.spool, database, limits, clocks)
        MADE.append(self.delivery)

    def add(self, *times, run="run"):
        self.spool.append(records_of([transfer(when) for when in times], run))
        return self.delivery.deliver(60.0)

    def times(self):
        with self.delivery.open().database.transaction() as connection:
            found = connection.exec_driver_sql("SELECT at FROM ftpservice_journal ORDER BY at")
            return [row[0] for row in found]


def test_the_library_of_databases_is_used_with_the_first_row_only(tmp_path):
    world = World(tmp_path, JournalLimits())
    assert world.delivery.deliver(1.0).rows == 0
    assert world.delivery.database is None


def test_a_row_that_is_delivered_again_is_there_once(tmp_path):
    world = World(tmp_path, JournalLimits())
    assert world.add(NOW, NOW + 1).rows == 2
    assert world.add(NOW, NOW + 1, NOW + 2).rows == 3
    assert world.times() == [NOW, NOW + 1, NOW + 2]
    assert not world.delivery.has_rows


def test_damaged_and_impossible_records_do_not_stop_the_others(tmp_path):
    world = World(tmp_path, JournalLimits())
    world.spool.append(["[]", '["id-only"]'])
    done = world.add(NOW)
    assert (done.rows, done.refused, world.times()) == (3, 2, [NOW])
    assert not world.delivery.has_rows


def test_the_rows_of_a_record_are_counted_one_by_one(tmp_path):
    world = World(tmp_path, JournalLimits())
    rows = records_of([transfer(NOW + number) for number in range(5)])
    world.spool.append([joined_rows([*rows[:2], "[]", *rows[2:4]]), rows[4]])
    done = world.delivery.deliver(60.0)
    assert (done.rows, done.refused, len(world.times())) == (6, 1, 5)


def test_rows_that_are_too_old_go(tmp_path):
    world = World(tmp_path, JournalLimits(keep=10 * DAY))
    world.add(NOW - 11 * DAY, NOW - 9 * DAY, NOW)
    assert world.delivery.delete_old() == 1
    assert world.times() == [NOW - 9 * DAY, NOW]
    world.monotonic.advance(2 * DAY)
    assert world.delivery.delete_old() == 1


def test_a_clock_that_jumps_forward_deletes_nothing(tmp_path):
    world = World(tmp_path, JournalLimits(keep=10 * DAY))
    world.add(NOW - 9 * DAY, NOW)
    world.jump = 5000 * DAY
    assert world.delivery.delete_old() == 0
    world.jump = -5000 * DAY
    assert world.delivery.delete_old() == 0
    assert len(world.times()) == 2


def test_a_start_with_a_wrong_clock_deletes_nothing_for_a_day(tmp_path):
    world = World(tmp_path, JournalLimits(keep=10 * DAY))
    world.add(NOW - 100 * DAY, NOW - 99 * DAY)
    assert world.delivery.delete_old() == 0
    world.monotonic.advance(DAY - 1)
    assert world.delivery.delete_old() == 0
    world.monotonic.advance(1)
    assert world.delivery.delete_old() == 2
