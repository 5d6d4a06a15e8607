"""What cannot be kept is counted, and gets a row as soon as there is room."""

import errno
import json
import os

from ftpservice.activity.journal import journal_writer
from ftpservice.activity.journal.journal_rows import COLUMNS, LOST
from ftpservice.activity.journal.journal_writer import (
    MAX_REFUSALS_PER_SECOND,
    ROWS_PER_RECORD,
    JournalWriter,
)
from ftpservice.activity.journal.row_texts import rows_of_record
from ftpservice.activity.journal.spool import Spool
from ftpservice.events import (
    BanLifted,
    Banned,
    CommandRefused,
    LoginFailed,
    LoginRefusal,
    SessionInfo,
    UploadRefused,
)
from tests.support.journal_cases import every_event, transfer

NOW = 5000.0


def writer(path, size=10_000_000):
    return JournalWriter(Spool(path, size), "run", lambda: NOW)


def rows(path):
    return delivered(Spool(path, 10_000_000))


def delivered(spool):
    found = []
    while (batch := spool.take(100)) is not None:
        texts = [row for record in batch.records for row in rows_of_record(record)]
        found += [dict(zip(COLUMNS, json.loads(one), strict=True)) for one in texts]
        spool.deliver(batch)
    return found


def lost(found):
    return [(row["events"], row["detail"]) for row in found if row["kind"] == LOST]


def test_every_event_has_its_row(tmp_path):
    made = writer(tmp_path)
    made.write(every_event())
    assert len(rows(tmp_path)) == len(every_event()) - 1  # the start of a transfer has none
    assert (made.lost, made.problem, made.pending) == (0, "", 0)


def test_many_rows_have_few_records(tmp_path):
    made = writer(tmp_path)
    made.write([transfer(1.0)] * 1234)
    made.write([transfer(2.0)])
    records = made.spool.take(100).records
    counts = [len(rows_of_record(record)) for record in records]
    assert counts == [ROWS_PER_RECORD] * (1234 // ROWS_PER_RECORD) + [1234 % ROWS_PER_RECORD, 1]
    assert len({row["id"] for row in rows(tmp_path)}) == 1235


def test_an_event_without_a_row_is_counted_and_the_others_get_theirs(tmp_path):
    def fail(_path):
        raise ZeroDivisionError

    made = writer(tmp_path)
    bad = transfer(2.0, info=SessionInfo(storage_name=fail))
    made.write([transfer(1.0), bad, transfer(3.0)])
    found = rows(tmp_path)
    assert [row["at"] for row in found if row["kind"] != LOST] == [1.0, 3.0]
    assert lost(found) == [(1, "no row can be made of them")]
    assert (made.lost, made.problem, made.pending) == (1, "", 0)


def test_what_a_full_spool_does_not_take_waits_and_then_is_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(journal_writer, "MAX_PENDING", 10)
    made = writer(tmp_path, 700)
    made.write([transfer(1.0)] * 3)
    assert made.pending == 0
    made.write([transfer(2.0)] * 4)
    assert (made.pending, made.lost) == (4, 0)
    assert "maximum size" in made.problem
    made.write([transfer(3.0)] * 9)
    assert (made.pending, made.lost) == (10, 3)
    made.spool._max_bytes = 10_000_000
    made.write([])
    found = rows(tmp_path)
    assert (len(found), lost(found)) == (3 + 10 + 1, [(3, "the spool did not take them")])
    assert (made.pending, made.problem) == (0, "")


def test_after_an_error_of_the_disk_everything_is_written_once(tmp_path, monkeypatch):
    made = writer(tmp_path)

    def broken(*_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", broken)
        made.write([transfer(1.0)] * 600)
        assert (made.problem, made.pending) == ("Input/output error", 600)
    made.write([transfer(2.0)])
    found = rows(tmp_path)
    assert len({row["id"] for row in found}) == len(found) == 601


def test_a_flood_of_refusals_gets_a_bounded_number_of_rows(tmp_path):
    made = writer(tmp_path)
    refusal = (7, "192.0.2.1", "", "NOPE", "", 500, "no")
    made.write([CommandRefused(10.0 + number / 1e6, *refusal) for number in range(1000)])
    made.write([UploadRefused(10.5, *refusal), CommandRefused(11.0, *refusal), transfer(10.5)])
    found = rows(tmp_path)
    assert len(found) == MAX_REFUSALS_PER_SECOND + 1 + 3
    assert lost(found) == [(800, "more than 200 refusals in a second")]


def test_a_flood_of_failed_logins_displaces_no_row_of_another_kind(tmp_path):
    made = writer(tmp_path)
    failed = LoginFailed(10.0, 0, "127.0.0.1", "", LoginRefusal.REFUSED, "an API token")
    others = [
        CommandRefused(10.5, 7, "192.0.2.1", "", "NOPE", "", 500, "no"),
        Banned(10.5, 0, "", "", "192.0.2.1/32", "too many failed logins", None),
        BanLifted(10.6, 0, "", "", "192.0.2.1/32"),
    ]
    made.write([failed] * 1000 + others)
    found = rows(tmp_path)
    assert [row["kind"] for row in found[-4:]] == ["command refused", "ban", "ban", LOST]
    assert len(found) == MAX_REFUSALS_PER_SECOND + 4


def test_events_that_were_not_queued_and_damaged_records_are_counted(tmp_path):
    made = writer(tmp_path)
    made.count_damaged(2, 3)
    made.write([], 4)
    reasons = ("damaged records in the spool", "refused by the database", "too many events at once")
    assert lost(rows(tmp_path)) == list(zip((2, 3, 4), reasons, strict=True))
    assert made.lost == 9


def test_long_rows_fit_into_the_smallest_spool(tmp_path):
    path = "/" + "\N{EURO SIGN}\x01" * 4000
    made = writer(tmp_path, 1024 * 1024)
    for _ in range(2):
        made.write([transfer(float(number), path=path) for number in range(100)])
        times = []
        for _ in range(100):
            times += [row["at"] for row in delivered(made.spool)]
            made.write([])
        assert times == [float(number) for number in range(100)]
    assert made.lost == 0


def test_the_end_tries_once_more(tmp_path):
    made = writer(tmp_path, 100)
    made.write([transfer(1.0)])
    assert made.pending == 1
    made.spool._max_bytes = 10_000
    made.close()
    assert len(rows(tmp_path)) == 1
