"""A database of an earlier version becomes one of this version, with its rows."""

import pytest
from alembic import command

from ftpservice.accounts.account_store import InvalidAccount, StoreUnavailable
from ftpservice.accounts.sql.database_url import parse_database_url
from ftpservice.accounts.sql.migration import _config, upgrade
from ftpservice.accounts.sql.schema import ACCOUNTS_SCHEMA
from ftpservice.accounts.sql.sql_lookup import SQLLookup
from ftpservice.accounts.sql.sql_store import SQLStore
from tests.accounts.doubles import SECRET
from tests.support.postgresql import PostgreSQL


@pytest.fixture(scope="module")
def server():
    with PostgreSQL() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path, server):
    is_file = request.param == "sqlite"
    name = f"sqlite:///{tmp_path}/a.db" if is_file else server.url(server.new_database())
    return parse_database_url(name)


@pytest.fixture
def old(url):
    """Return a database of version 0001 with rows, and what its administrator has added."""
    database = SQLStore(url).database
    database.create_file()
    config = _config(ACCOUNTS_SCHEMA)
    with database.transaction(writes=True, checked=False) as connection:
        config.attributes["connection"] = connection
        config.attributes["version_table"] = ACCOUNTS_SCHEMA.version_table
        command.upgrade(config, "0001")
    insert(database, "@staff", "*", root="/people/{user}")
    insert(database, "before", SECRET)
    insert(database, "ann", SECRET, root="/ann", options="group=staff")
    with database.transaction(writes=True, checked=False) as connection:
        connection.exec_driver_sql("ALTER TABLE ftpservice_accounts ADD COLUMN phone TEXT")
        connection.exec_driver_sql("CREATE INDEX by_phone ON ftpservice_accounts (phone)")
        connection.exec_driver_sql("UPDATE ftpservice_accounts SET phone = '0815'")
    return database


def insert(database, name, password_hash, rights="full", **more):
    row = {"name": name, "password_hash": password_hash, "rights": rights, **more}
    values = ", ".join(f"'{value}'" for value in row.values())
    with database.transaction(writes=True, checked=False) as connection:
        connection.exec_driver_sql(
            f"INSERT INTO ftpservice_accounts ({', '.join(row)}) VALUES ({values})"
        )


def rows(database):
    with database.transaction(checked=False) as connection:
        found = connection.exec_driver_sql("SELECT * FROM ftpservice_accounts ORDER BY name")
        return [dict(row) for row in found.mappings()]


def test_a_row_without_a_root_inherits_it(url, old):
    with pytest.raises(StoreUnavailable, match="version 0001, needed is 0002; run: ftpservice db"):
        SQLStore(url).accounts()
    before = rows(old)
    assert upgrade(old) == ("0001", "0002")
    assert rows(old) == before  # also the column and the roots that were given
    insert(old, "ben", SECRET, options="group=staff")
    insert(old, "cat", SECRET)
    store, lookup = SQLStore(url), SQLLookup(url)
    roots = {"ann": "/ann", "before": "/", "ben": "/people/ben", "cat": "/"}
    assert {one.name: one.root for one in store.accounts()} == roots
    assert {name: lookup.look_up(name, b"").record.root for name in roots} == roots
    insert(old, "@default", "*", root="/guests/{user}")
    found = {one.name: one.root for one in store.accounts()}
    assert (found["cat"], found["before"]) == ("/guests/cat", "/")
    lookup.close()


def test_the_table_keeps_its_constraints_and_what_was_added(url, old):
    upgrade(old)
    for wrong in ({"rights": ""}, {"name": "a:b"}, {"quota_files": "0"}, {"name": "ann"}):
        row = {"name": "dan", "password_hash": SECRET} | wrong
        with pytest.raises(InvalidAccount):
            insert(old, **row)
    with old.transaction() as connection:
        assert connection.dialect.get_indexes(connection, "ftpservice_accounts")
        if old.is_sqlite:
            checked = connection.exec_driver_sql("PRAGMA integrity_check").scalar()
            assert checked == "ok"
            assert connection.exec_driver_sql("PRAGMA writable_schema").scalar() == 0
    assert upgrade(old) == ("0002", "0002")


def test_a_connection_that_was_open_before_uses_the_new_default(url, old):
    lookup = SQLLookup(url)
    with pytest.raises(StoreUnavailable):
        lookup.look_up("ann", b"")
    upgrade(SQLStore(url).database)
    assert lookup.look_up("ann", b"").record.root == "/ann"
    lookup.close()


def test_the_default_can_be_taken_back(old):
    upgrade(old)
    config = _config(ACCOUNTS_SCHEMA)
    with old.transaction(writes=True, checked=False) as connection:
        config.attributes["connection"] = connection
        config.attributes["version_table"] = ACCOUNTS_SCHEMA.version_table
        command.downgrade(config, "0001")
    insert(old, "ben", SECRET)
    assert {row["name"]: row["root"] for row in rows(old)}["ben"] == "/"


def test_a_table_that_was_changed_is_refused_and_the_version_stays(old):
    with old.transaction(writes=True, checked=False) as connection:
        connection.exec_driver_sql("ALTER TABLE ftpservice_accounts RENAME COLUMN root TO place")
    with pytest.raises(StoreUnavailable, match=r'column root|column "root"'):
        upgrade(old)
    assert old.version() == "0001"
