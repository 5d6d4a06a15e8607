"""What processes tell each other about ledgers."""

import os

import pytest

from ftpservice.storage.quota.ledgers.quota_log import END, HEADER_BYTES, START, QuotaLog


@pytest.fixture
def logs():
    first = QuotaLog.create(3)
    made = [first, *(QuotaLog.attach(first.descriptor, number, 3) for number in (1, 2))]
    yield made
    for log in made:
        log.close()


def append(log, *entries):
    with log.locked():
        log.append(*entries)


def test_every_process_reads_every_entry_once_and_in_order(logs):
    first, second, third = logs
    append(first, ["root", ["local", "a"]], ["limits", "ann", 5])
    append(second, ["forget", ["local", "\udcff"]])
    read = [["root", ["local", "a"]], ["limits", "ann", 5], ["forget", ["local", "\udcff"]]]
    assert [list(log.news()) for log in logs] == 3 * [read]
    assert not third.has_news
    assert [list(log.news()) for log in logs] == [[], [], []]


def test_an_entry_that_a_killed_process_has_not_finished_is_overwritten(logs):
    first, second, _ = logs
    os.pwrite(first.descriptor, b'["half', first.end_position)
    append(second, ["whole", []])
    assert list(first.news()) == [["whole", []]]


def test_who_has_something_in_progress_has_to_read(logs):
    first, second, third = logs
    append(first, ["root", []])
    end = first.end_position
    assert first.activity.is_read_by_all(end)
    second.activity.begin()
    assert not first.activity.is_read_by_all(end)
    assert first.activity.others_are_active
    assert list(second.news()) == [["root", []]]
    assert first.activity.is_read_by_all(end)
    second.activity.end()
    assert not first.activity.others_are_active
    third.activity.begin()
    first.activity.clear(2)
    assert first.activity.is_read_by_all(end)


def test_a_long_log_is_shortened_when_all_have_read_it(logs, monkeypatch):
    first, second, _ = logs
    entry = ["limits", "x" * 100_000]
    second.activity.begin()
    for _ in range(11):
        append(first, entry)
    list(first.news())
    with first.locked():
        first.shorten(lambda: [["all", []]])
    assert first._words[START] == HEADER_BYTES, "one has not read it"
    list(second.news())
    with first.locked():
        first.shorten(lambda: [["all", []]])
    assert first._words[START] > 1 << 20
    assert os.fstat(first.descriptor).st_blocks * 512 < 1 << 17, "memory is given back"
    assert [list(log.news()) for log in logs] == 3 * [[["all", []]]]
    assert first._words[END] == first.position


def test_there_is_room_for_so_many_processes(logs):
    with pytest.raises(ValueError, match="no process 3 of 3"):
        QuotaLog.attach(logs[0].descriptor, 3, 3)
