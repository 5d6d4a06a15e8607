"""The accounts of all kinds of stores; a store that is not known completely is an error."""

import pytest
from zope.interface import implementer
from zope.interface.verify import verifyObject

from ftpservice.accounts.account_record import AccountRecord
from ftpservice.accounts.account_store import (
    InvalidAccount,
    IWatchedAccounts,
    StoreUnavailable,
)
from ftpservice.accounts.external.recent_accounts import RecentAccounts
from ftpservice.retention.account_list import listed_accounts
from ftpservice.storage.retention_rules import parse_retention
from tests.accounts.doubles import SECRET
from tests.support.store_cases import StoreCase

KEPT = {"retention": parse_retention("30d; *.log: keep")}


@pytest.fixture
def database(tmp_path):
    """Return a store in SQLite, and its checker."""
    from ftpservice.accounts.sql.sql_plugin import SQLFactory

    case = StoreCase("sql", tmp_path, None)
    return case.store, SQLFactory().generateChecker(case.description.removeprefix("sql:"))


def test_accounts_of_files_and_databases_are_listed(bench, database):
    store, checker = database
    bench.accounts("ann:/ann:retention=7d", "bob:/bob:")
    store.add(AccountRecord("sue", SECRET, "/sue", **KEPT))
    found = listed_accounts([bench.checker, object(), checker], ["eve"])
    assert [(one.name, str(one.retention)) for one in found] == [
        ("ann", "7d"),
        ("bob", "None"),
        ("sue", "30d; *.log: keep"),
    ]


def test_changes_are_seen_at_once(bench):
    bench.accounts("ann:/ann:retention=7d")
    listed_accounts([bench.checker], ())
    bench.accounts("ann:/ann:retention=keep", "bob:/bob:")
    assert str(listed_accounts([bench.checker], ())[0].retention) == "keep"


@pytest.mark.parametrize(
    "line", ["bob:HASH:/bob:full\n", f"bob:{SECRET}:/bob:full:retention=30\n", "no line end"]
)
def test_a_line_that_cannot_be_used_is_an_error(bench, line):
    bench.accounts("ann:/ann:retention=7d")
    bench.passwd.write_text(bench.passwd.read_text() + line)
    with pytest.raises(InvalidAccount, match=r"passwd.db, line 2"):
        listed_accounts([bench.checker], ())


def test_a_second_line_of_an_account_is_none(bench):
    bench.accounts("ann:/ann:retention=7d", "ann:/ann:retention=30")
    [ann] = listed_accounts([bench.checker], ())
    assert str(ann.retention) == "7d"


def test_a_row_that_cannot_be_used_is_an_error(database):
    store, checker = database
    store.add(AccountRecord("sue", SECRET, "/sue", **KEPT))
    from sqlalchemy import update

    from ftpservice.accounts.sql.schema import ACCOUNTS

    with store.database.transaction(writes=True) as connection:
        connection.execute(update(ACCOUNTS).values(options="retention=soon"))
    with pytest.raises(InvalidAccount, match="sue"):
        listed_accounts([checker], ())


def test_a_store_is_read_once(database, monkeypatch):
    """Its accounts and its problems are of one time."""
    store, checker = database
    store.add(AccountRecord("sue", SECRET, "/sue", **KEPT))
    reads, listing = [], checker.store.listing
    monkeypatch.setattr(checker.store, "listing", lambda: reads.append(1) or listing())
    assert [one.name for one in listed_accounts([checker], ())] == ["sue"]
    assert len(reads) == 1


def test_a_store_that_is_down_is_an_error(database):
    store, checker = database
    import os

    os.unlink(store.place.removeprefix("sqlite:///").removeprefix("sql:sqlite:///"))
    with pytest.raises(StoreUnavailable):
        listed_accounts([checker], ())


@implementer(IWatchedAccounts)
class Directory:
    """A checker of accounts that cannot be listed; ``recent`` has those of the last logins."""

    place = "ldap"

    def __init__(self, look=None):
        self.recent = RecentAccounts(look)
        self.current = self.recent.current

    def take_logins(self, names):
        raise AssertionError("for the watch only")

    def interrupt(self):
        raise AssertionError("for the watch only")


def test_of_stores_that_cannot_be_listed_those_that_have_logged_in_are_known():
    directory = Directory()
    assert verifyObject(IWatchedAccounts, directory)
    directory.recent.remember(AccountRecord("dora", "", "/dora", **KEPT))
    assert listed_accounts([directory], ()) == []
    assert [one.name for one in listed_accounts([directory], ("dora", "eve"))] == ["dora"]


def test_as_the_store_has_them_now():
    changed = AccountRecord("dora", "", "/dora", retention=parse_retention("keep"))
    directory = Directory(lambda names: {"dora": changed} if "dora" in names else {})
    directory.recent.remember(AccountRecord("dora", "", "/dora", **KEPT))
    [found] = listed_accounts([directory], ("dora", "gone"))
    assert str(found.retention) == "keep"


def test_the_realm_knows_who_has_logged_in(bench):
    bench.accounts("ann:/ann:retention=7d", "bob:/bob:")
    bench.storage("ann")
    bench.storage("bob")
    assert list(bench.realm.with_retention) == ["ann"]
