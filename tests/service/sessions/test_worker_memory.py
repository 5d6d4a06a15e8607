"""The shared table of the program that takes over in an upgrade."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest

from ftpservice.concurrency.shared_table import SharedTable
from ftpservice.concurrency.table_layout import RecordLayout
from ftpservice.service.sessions.worker_memory import LEASED_RECORDS, RECORDS, table_for
from ftpservice.service.settings.errors import CannotStart
from ftpservice.workers.handover import Handover

COLUMNS = 6
WORKERS = ({"column": 1}, {"column": 3})
PLACES = RECORDS[0].name


@pytest.fixture
def before() -> Iterator[SharedTable]:
    """The table of a program with workers in the columns 1 and 3."""
    with closing(SharedTable.create(RECORDS, COLUMNS)) as table:
        assert [table.claim_column() for _ in range(3)] == [1, 2, 3]
        table.clear_column(2)
        yield table


def handed_over(table: SharedTable) -> Handover:
    return Handover(board=(-1, COLUMNS), table=os.dup(table.descriptor), workers=WORKERS)


def assert_old_columns_are_taken(table: SharedTable) -> None:
    assert [table.claim_column() for _ in range(3)] == [2, 4, 5]


def test_the_table_goes_on(before: SharedTable) -> None:
    with before.section(PLACES).lock(b"key") as numbers:
        numbers.add(0, 7)
    with closing(table_for(2, handed_over(before))) as table:
        assert table.section(PLACES).total(b"key", 0) == 7
        assert_old_columns_are_taken(table)


def test_one_with_other_sections_is_made_anew() -> None:
    other = (replace(RECORDS[0], slots=64), RecordLayout("another", fields=1, slots=64))
    with (
        closing(SharedTable.create(other, COLUMNS)) as before,
        closing(table_for(2, handed_over(before))) as table,
    ):
        assert table.layout.records == RECORDS
        assert_old_columns_are_taken(table)


def test_one_that_describes_its_sections_otherwise_is_made_anew(before: SharedTable) -> None:
    header = os.pread(before.descriptor, 4096, 0)
    os.pwrite(before.descriptor, header.replace(b'"slots"', b'"slits"'), 0)
    with closing(table_for(2, handed_over(before))) as table:
        assert table.layout.records == RECORDS
        assert_old_columns_are_taken(table)


def test_a_trial_has_a_table_of_its_own(before: SharedTable) -> None:
    trial = replace(handed_over(before), is_trial=True)
    with closing(table_for(2, trial)) as table:
        assert table.descriptor != before.descriptor
        assert table.claim_column() == 1


def test_a_node_of_a_cluster_goes_on_only_with_what_its_workers_count(before: SharedTable) -> None:
    """Otherwise what old workers add would be charged to no quota."""
    for is_trial in (True, False):
        handover = replace(handed_over(before), is_trial=is_trial)
        with pytest.raises(CannotStart, match="this version counts other things"):
            table_for(2, handover, is_leased=True)
    with (
        closing(SharedTable.create(LEASED_RECORDS, COLUMNS)) as leased,
        closing(table_for(2, handed_over(leased), is_leased=True)) as table,
    ):
        assert table.layout.records == LEASED_RECORDS
