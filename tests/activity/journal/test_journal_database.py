"""Both databases keep every row once, whatever is in it, and stay within their size."""

import json
import random

import pytest
from alembic import command

from ftpservice.accounts.account_store import StoreUnavailable
from ftpservice.accounts.sql.database import Database
from ftpservice.accounts.sql.migration import _config, upgrade
from ftpservice.accounts.sql.schema import ACCOUNTS_SCHEMA
from ftpservice.activity.journal.journal_database import JournalDatabase
from ftpservice.activity.journal.journal_rows import COLUMNS, MAX_ACCOUNT
from ftpservice.activity.journal.journal_table import JOURNAL_SCHEMA
from ftpservice.activity.journal.row_texts import RowTexts, joined_rows
from ftpservice.events import LoginFailed, LoginRefusal
from tests.support.journal_cases import HOSTILE, every_event, plan, records_of, transfer


def rows(database):
    with database.database.transaction() as connection:
        found = connection.exec_driver_sql(
            f"SELECT {', '.join(COLUMNS)} FROM ftpservice_journal ORDER BY id"
        )
        return [list(row) for row in found]


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request, tmp_path):
    place = ""
    if request.param == "postgresql":
        server = request.getfixturevalue("postgresql")
        place = server.url(server.new_database())
    made = JournalDatabase(plan(tmp_path, place).url)
    made.prepare()
    if place:
        upgrade(made.database)
    yield made
    made.close()


@pytest.mark.parametrize("text", ["x", HOSTILE, "a" * 9000], ids=["plain", "hostile", "long"])
def test_every_event_is_kept_as_it_is(database, text):
    records = records_of(every_event(text))
    assert database.add(records) == 0
    assert rows(database) == [json.loads(record) for record in records]


def test_a_row_is_kept_once(database):
    records = records_of([transfer(1.0)] * 5)
    for _ in range(3):
        assert database.add(records) == 0
    assert len(rows(database)) == 5
    assert database.newest() == 1.0


def test_a_row_that_the_database_refuses_does_not_stop_the_others(database):
    records = records_of([transfer(1.0)] * 7)
    records[3] = '["bad", "no time"]'
    assert database.add(records) == 1
    assert len(rows(database)) == 6


@pytest.mark.parametrize("first", [0x4E00, 0xDC80, 0x1F300], ids=["plain", "escaped", "wide"])
def test_the_name_of_a_failed_login_that_fits_no_index_stops_nothing(database, first):
    """It is chosen by whoever connects, and cannot be compressed."""
    chosen = random.Random(first)
    name = "".join(chr(first + chosen.randrange(128)) for _ in range(4000))
    failed = LoginFailed(1.0, 7, "192.0.2.1", name, LoginRefusal.WRONG_PASSWORD, name)
    assert database.add(records_of([failed, transfer(2.0)])) == 0
    assert RowTexts("run").text_of(transfer(1.0, name)).count(name[MAX_ACCOUNT:]) == 0
    assert [row[1] for row in rows(database)] == [1.0, 2.0]


@pytest.mark.parametrize("bad", ["[1,2", "no JSON", "{}", "[NaN]"])
def test_a_record_that_is_no_row_stops_no_other(database, bad):
    good = records_of([transfer(1.0)] * 3)
    assert database.add([good[0], bad, *good[1:]]) == 1
    assert len(rows(database)) == 3


@pytest.mark.parametrize("value", ["[1]", "{}", str(2**70), "[" * 5000 + "]" * 5000])
def test_a_value_that_no_column_takes_stops_no_other_row(database, value):
    good = records_of([transfer(float(number)) for number in range(300)])
    row = [value if name == "bytes" else f'"{name}"' for name in COLUMNS]
    row[1], row[3:5], row[-3:] = "400.0", ["1", "1"], ["null"] * 3
    refused = database.add([*good[:170], f"[{','.join(row)}]", *good[170:]])
    assert refused == 1
    assert len(rows(database)) == 300


def test_a_row_of_another_version_may_have_other_columns(database):
    [record] = records_of([transfer(1.0)])
    more, fewer = json.loads(record), json.loads(record)
    more[0], fewer[0] = "more", "fewer"
    assert database.add([json.dumps([*more, "new"]), json.dumps(fewer[:-2])]) == 0
    assert rows(database) == [[*fewer[:-2], None, None], more]


def test_rows_of_before_there_were_nodes_are_kept_over_the_upgrade(tmp_path):
    old = Database(plan(tmp_path).url, 30.0, schema=JOURNAL_SCHEMA)
    old.create_file()
    config = _config(JOURNAL_SCHEMA)
    [record] = records_of([transfer(1.0)])
    values = json.loads(record)[:-1]
    with old.transaction(writes=True, checked=False) as connection:
        config.attributes["connection"] = connection
        config.attributes["version_table"] = JOURNAL_SCHEMA.version_table
        command.upgrade(config, "0001")
        names, marks = ", ".join(COLUMNS[:-1]), ", ".join("?" * len(values))
        connection.exec_driver_sql(
            f"INSERT INTO ftpservice_journal ({names}) VALUES ({marks})", tuple(values)
        )
    old.close()
    database = JournalDatabase(plan(tmp_path).url)
    database.prepare()
    assert database.add([RowTexts("run2", "ftp2").text_of(transfer(2.0))]) == 0
    assert [(row[1], row[-1]) for row in rows(database)] == [(1.0, None), (2.0, "ftp2")]
    database.close()


def test_a_row_that_is_too_large_for_an_index_is_refused(database):
    chosen = random.Random(1)
    session = "".join(chr(0x4E00 + chosen.randrange(9000)) for _ in range(8000))
    good = records_of([transfer(1.0)] * 3)
    row = [session if name == "session" else "" for name in COLUMNS]
    row[:5], row[-4:] = ["large", 5.0, "x", 1, 1], [None] * 4
    refused = database.add([good[0], json.dumps(row), *good[1:]])
    assert refused == (0 if database.database.is_sqlite else 1)
    assert len(rows(database)) == 4 - refused


def test_records_of_many_rows_are_kept_as_those_of_one(database):
    """As after an upgrade: the spool has records of an earlier version first."""
    old, maker = records_of(every_event(HOSTILE), "old"), RowTexts("run")
    texts = [maker.text_of(event) for event in [*every_event("x"), *every_event(HOSTILE)]]
    new = [text for text in texts if text is not None]
    assert database.add([*old, joined_rows(new[:9]), joined_rows(new[9:])]) == 0
    assert rows(database) == [json.loads(record) for record in (*old, *new)]


def test_a_row_that_the_database_refuses_stops_no_other_of_its_record(database):
    maker = RowTexts("run")
    texts = [maker.text_of(transfer(float(number))) for number in range(10)]
    texts[3], texts[7] = '["bad", "no time"]', '["worse"]'
    assert database.add([joined_rows(texts[:9]), texts[9]]) == 2
    assert [row[1] for row in rows(database)] == [0.0, 1.0, 2.0, 4.0, 5.0, 6.0, 8.0, 9.0]


def test_a_journal_that_is_too_large_loses_its_oldest_rows(database, monkeypatch):
    monkeypatch.setattr("ftpservice.activity.journal.journal_database.ROWS_PER_DELETION", 100)
    most = 400_000
    for start in range(0, 2000, 500):
        events = [transfer(float(start + n), path="/" + "x" * 200) for n in range(500)]
        assert database.add(records_of(events, f"run{start:05}")) == 0
    deleted = database.delete_over(most)
    with database.database.transaction() as connection:
        assert database._size(connection) <= most
    left = [row[1] for row in rows(database)]
    assert 0 < deleted < 2000
    assert left == [float(n) for n in range(deleted, 2000)]
    assert database.delete_over(most) == 0


def test_a_file_becomes_smaller(tmp_path):
    database = JournalDatabase(plan(tmp_path).url)
    database.prepare()
    database.add(records_of([transfer(1.0, path="/" + "x" * 4000)] * 500))
    assert database.delete_before(2.0) == 500
    with database.database.transaction() as connection:
        assert connection.exec_driver_sql("PRAGMA page_count").scalar_one() < 30
    database.close()
    assert (tmp_path / "journal.db").stat().st_mode & 0o777 == 0o600


def test_a_database_without_the_table_says_what_to_do(postgresql):
    database = JournalDatabase(plan("/", postgresql.url(postgresql.new_database())).url)
    database.prepare()
    with pytest.raises(StoreUnavailable, match="run: ftpservice db upgrade --journal sql:postgre"):
        database.add(records_of([transfer(1.0)]))
    database.close()


def test_accounts_and_journal_may_share_a_database(tmp_path):
    journal = JournalDatabase(plan(tmp_path).url)
    accounts = Database(plan(tmp_path).url, 2.0)
    assert upgrade(accounts) == (None, ACCOUNTS_SCHEMA.version)
    journal.prepare()
    assert journal.database.version() == JOURNAL_SCHEMA.version
    assert accounts.version() == ACCOUNTS_SCHEMA.version
    assert journal.add(records_of([transfer(1.0)])) == 0
    journal.close()
