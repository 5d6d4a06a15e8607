"""Numbers that processes read of each other, and numbers of sessions that are never the same."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from ftpservice.workers.session_board import SessionBoard


@pytest.fixture
def board() -> Iterator[SessionBoard]:
    board = SessionBoard.create(5)
    yield board
    board.close()


def test_a_number_is_given_once_by_all_processes(board: SessionBoard) -> None:
    given = [next(board.column(column)) for _ in range(100) for column in range(5)]
    assert sorted(given) == list(range(1, 501))


def test_a_process_in_a_column_goes_on_after_the_one_before_it(board: SessionBoard) -> None:
    column = board.column(2)
    before = {next(column) for _ in range(3)}
    column.sessions, column.accepts, column.events = 3, True, 9
    column.count_beginning(2)
    column.clear()
    assert (column.sessions, column.accepts, column.events) == (0, False, 0)
    column.accepts = True
    assert column.fewest_sessions() == 0
    assert not before & {next(column) for _ in range(3)}


def test_another_process_reads_what_one_writes(board: SessionBoard) -> None:
    other = SessionBoard(os.dup(board.descriptor), 5)
    other.column(1).sessions = 12
    other.column(1).accepts = True
    assert board.column(1).sessions == 12
    assert board.column(1).accepts
    other.close()


def test_only_processes_that_accept_count_for_the_fewest(board: SessionBoard) -> None:
    for number, sessions in ((1, 9), (2, 4), (3, 1)):
        board.column(number).sessions = sessions
    assert board.column(1).fewest_sessions() == 0
    board.column(1).accepts = board.column(2).accepts = True
    assert board.column(1).fewest_sessions() == 4


def test_sessions_that_are_about_to_begin_count_for_the_fewest(board: SessionBoard) -> None:
    for number, sessions, beginning in ((1, 3, 4), (2, 1, 5)):
        column = board.column(number)
        column.sessions, column.accepts = sessions, True
        column.count_beginning(beginning)
    assert board.column(1).fewest_sessions() == 6
    board.column(2).count_beginning(-3)
    assert board.column(1).fewest_sessions() == 3
