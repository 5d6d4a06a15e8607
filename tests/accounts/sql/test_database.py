"""Connections to databases: servers that stop or do not answer, passwords, versions."""

import os
import threading
import time
import traceback

import pytest

from ftpservice.accounts.account_record import AccountRecord
from ftpservice.accounts.account_store import StoreUnavailable
from ftpservice.accounts.sql.change_signal import ChangeSignal
from ftpservice.accounts.sql.database import Database
from ftpservice.accounts.sql.database_url import parse_database_url
from ftpservice.accounts.sql.migration import known_versions, upgrade
from ftpservice.accounts.sql.schema import SCHEMA_VERSION
from ftpservice.accounts.sql.sql_lookup import SQLLookup
from ftpservice.accounts.sql.sql_store import SQLStore
from tests.accounts.doubles import SECRET
from tests.support.postgresql import PASSWORD, PostgreSQL


@pytest.fixture(scope="module")
def server():
    """A server that tests may stop and freeze."""
    with PostgreSQL() as server:
        yield server


@pytest.fixture
def lookup(server):
    url = parse_database_url(server.url(server.new_database()))
    store = SQLStore(url)
    upgrade(store.database)
    store.add(AccountRecord("ann", SECRET))
    lookup = SQLLookup(url)
    yield lookup
    lookup.close()


def test_a_server_that_stops_is_unavailable_and_recovers_by_itself(server, lookup):
    assert lookup.look_up("ann", b"").record.name == "ann"
    assert list(lookup.current(["ann"])) == ["ann"]
    server.stop()
    for ask in (lambda: lookup.look_up("ann", b""), lambda: lookup.current(["ann"])):
        with pytest.raises(StoreUnavailable) as caught:
            ask()
        assert PASSWORD not in str(caught.value)
    server.start()
    assert lookup.look_up("ann", b"").record.name == "ann"
    assert list(lookup.current(["ann"])) == ["ann"]


def test_a_restart_between_two_logins_is_not_noticed(server, lookup):
    lookup.look_up("ann", b"")
    server.stop()
    server.start()
    assert lookup.look_up("ann", b"").record.name == "ann"


def test_a_restart_between_two_questions_for_changes_is_not_noticed(server, lookup):
    database = lookup._database
    signal = ChangeSignal(database)
    assert signal.has_changed()
    assert not signal.has_changed()
    lookup.look_up("ann", b"")  # its connection waits in the pool
    server.stop()
    server.start()
    assert signal.has_changed()
    assert not signal.has_changed()
    signal.close()


def test_a_call_without_an_answer_ends_when_it_is_interrupted(server, lookup):
    lookup.look_up("ann", b"")
    lookup.current(["ann"])
    seen = []

    def ask(function, argument):
        try:
            seen.append(function(argument))
        except StoreUnavailable as error:
            seen.append(error)

    server.freeze()
    try:
        asking = [
            threading.Thread(target=ask, args=(lookup.current, ["ann"])),
            threading.Thread(target=ask, args=(lambda name: lookup.look_up(name, b""), "ann")),
        ]
        for thread in asking:
            thread.start()
        deadline = time.monotonic() + 20
        while any(thread.is_alive() for thread in asking):
            lookup.interrupt(0.0)
            asking[0].join(0.01)
            assert time.monotonic() < deadline
    finally:
        server.thaw()
    assert [type(one) for one in seen] == [StoreUnavailable] * 2
    assert lookup.look_up("ann", b"").record.name == "ann"


def test_a_locked_table_is_not_waited_for_without_end(server, lookup):
    lookup.look_up("ann", b"")
    with server.connect(lookup.place.rpartition("/")[2]) as other:
        other.autocommit = False
        other.execute("LOCK TABLE ftpservice_accounts IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(StoreUnavailable, match="statement timeout"):
            lookup.look_up("ann", b"")
    assert lookup.look_up("ann", b"").record.name == "ann"


def test_a_wrong_password_of_the_database_is_not_in_the_error(server):
    secret = "wr0ng"[::-1]
    url = parse_database_url(server.url("postgres", secret))
    with pytest.raises(StoreUnavailable, match="password authentication failed") as caught:
        SQLStore(url).accounts()
    assert secret not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_schema_of_another_version_is_refused_with_what_to_do(server, tmp_path, kind):
    name = server.url(server.new_database()) if kind != "sqlite" else f"sqlite:///{tmp_path}/a.db"
    store = SQLStore(parse_database_url(name))
    assert upgrade(store.database) == (None, SCHEMA_VERSION)
    assert upgrade(store.database) == (SCHEMA_VERSION, SCHEMA_VERSION)
    assert store.database.version() == SCHEMA_VERSION == known_versions()[0]
    with store.database.transaction(writes=True) as connection:
        connection.exec_driver_sql("UPDATE ftpservice_version SET version_num = '9999'")
    again = SQLStore(parse_database_url(name))
    with pytest.raises(StoreUnavailable, match="version 9999, needed is 0002; install the newer"):
        again.accounts()
    with pytest.raises(StoreUnavailable, match="version 9999, which this version"):
        upgrade(again.database)


def test_the_file_of_a_database_is_for_its_owner_only(tmp_path):
    before = os.umask(0)
    try:
        database = Database(parse_database_url(f"sqlite:///{tmp_path}/a.db"), 2.0)
        upgrade(database)
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def test_readers_of_sqlite_do_not_wait_for_a_writer(tmp_path):
    url = parse_database_url(f"sqlite:///{tmp_path}/a.db")
    store = SQLStore(url)
    upgrade(store.database)
    store.add(AccountRecord("ann", SECRET))
    lookup = SQLLookup(url)
    with store.database.transaction(writes=True) as connection:
        connection.exec_driver_sql("DELETE FROM ftpservice_accounts")
        assert lookup.look_up("ann", b"").record.name == "ann"
    assert lookup.look_up("ann", b"").record is None
    lookup.close()


def test_a_file_that_is_no_database_is_unavailable(tmp_path):
    path = tmp_path / "a.db"
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreUnavailable, match="not a database"):
        SQLStore(parse_database_url(f"sqlite:///{path}")).accounts()


def test_a_file_in_a_missing_directory_cannot_be_created(tmp_path):
    store = SQLStore(parse_database_url(f"sqlite:///{tmp_path}/none/a.db"))
    with pytest.raises(StoreUnavailable, match="none does not exist"):
        upgrade(store.database)
