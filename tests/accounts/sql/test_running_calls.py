"""Calls of a database that are ended from another thread."""

import pytest
from sqlalchemy import event, select

from ftpservice.accounts.account_record import AccountRecord
from ftpservice.accounts.account_store import StoreUnavailable
from ftpservice.accounts.sql.database_url import parse_database_url
from ftpservice.accounts.sql.migration import upgrade
from ftpservice.accounts.sql.schema import ACCOUNTS
from ftpservice.accounts.sql.sql_lookup import SQLLookup
from ftpservice.accounts.sql.sql_store import SQLStore
from tests.accounts.doubles import SECRET
from tests.support.postgresql import PostgreSQL


@pytest.fixture(scope="module")
def server():
    with PostgreSQL() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def lookup(request, tmp_path, server):
    is_file = request.param == "sqlite"
    name = f"sqlite:///{tmp_path}/a.db" if is_file else server.url(server.new_database())
    url = parse_database_url(name)
    store = SQLStore(url)
    upgrade(store.database)
    store.add(AccountRecord("ann", SECRET))
    lookup = SQLLookup(url)
    yield lookup
    lookup.close()


def test_a_call_that_was_ended_does_not_go_on_with_another_connection(lookup):
    database = lookup._database
    with database.calls.running():
        assert len(database.read(select(ACCOUNTS))) == 1
        database.calls.interrupt(0.0)
        for _ in range(2):
            with pytest.raises(StoreUnavailable, match="the call was ended, it took too long"):
                database.read(select(ACCOUNTS))
        with pytest.raises(StoreUnavailable, match="the call was ended"):
            lookup.current(["ann"])
    assert lookup.look_up("ann", b"").record.name == "ann"


def test_a_connection_that_is_being_prepared_can_be_ended(lookup):
    database = lookup._database
    event.listen(database.engine, "connect", lambda *_: database.calls.interrupt(0.0), insert=True)
    with pytest.raises(StoreUnavailable):
        database.read(select(ACCOUNTS))
    assert not database.calls._calls
    assert database.engine.pool.checkedout() == 0


def test_a_call_has_forgotten_its_connection_before_another_can_get_it(lookup):
    database = lookup._database
    seen = []

    def note(*_returned):
        seen.extend(call.connection for call in database.calls._calls.values())
        database.calls.interrupt(0.0)

    event.listen(database.engine, "checkin", note)
    with database.calls.running(), database.transaction():
        (call,) = database.calls._calls.values()
        outer = call.connection
        assert outer is not None
        database.read(select(ACCOUNTS))
        assert call.connection is outer  # it can be ended again
        call.is_ended = False
    assert seen == [None, None]
