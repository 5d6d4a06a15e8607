"""What sessions of several processes count together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface.verify import verifyObject

from ftpservice.concurrency.shared_table import SharedTable
from ftpservice.session.settings import SessionSettings
from ftpservice.session.shared.shared_state import ISharedState
from ftpservice.session.shared.table_state import SHARED_RECORDS, TableState
from tests.support.ftp_dialogue import FTPDialogue


@pytest.fixture
def tables() -> Iterator[list[SharedTable]]:
    """One table, as two processes have it."""
    first = SharedTable.create(SHARED_RECORDS, 4)
    second = SharedTable.attach(first.descriptor, first.claim_column())
    yield [first, second]
    first.close()
    second.close()


def test_processes_have_everything_that_counts(tables: list[SharedTable]) -> None:
    assert verifyObject(ISharedState, TableState(tables[0], Clock()))


class TableDialogue(FTPDialogue):
    """A session of a process that counts in a table."""

    def __init__(self, table: SharedTable, **settings: Any) -> None:
        self.table = table
        super().__init__(SessionSettings(**settings))

    def shared_state(self, clock: Any) -> TableState:
        return TableState(self.table, clock)


def log_in(dialogue: FTPDialogue) -> str:
    dialogue.replies()
    dialogue.say("USER ann")
    return dialogue.say("PASS secret")[-1][:3]


def test_the_sessions_of_a_user_count_in_all_processes(tables: list[SharedTable]) -> None:
    one, two = (TableDialogue(table, max_sessions_per_user=1) for table in tables)
    assert (log_in(one), log_in(two)) == ("230", "421")


@pytest.mark.parametrize("settings", [{"max_sessions": 1}, {"max_sessions_per_address": 1}])
def test_the_sessions_in_all_and_of_an_address_count_in_all_processes(
    tables: list[SharedTable], settings: dict[str, int]
) -> None:
    one, two = (TableDialogue(table, **settings) for table in tables)
    assert (one.codes(), two.codes()) == ([220], [421])
    one.lose(Failure(ConnectionLost()))
    _protocol, transport = two.connect()
    assert transport.value().startswith(b"220")
