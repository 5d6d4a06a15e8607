"""The plugin ``sql:``: checkers and stores from strings, and what it says without its extra."""

import pytest
from twisted.cred.strcred import ICheckerFactory, InvalidAuthArgumentString, makeChecker
from zope.interface.verify import verifyObject

from ftpservice.accounts.account_store import IAccountStoreFactory
from ftpservice.accounts.sql import sql_plugin
from ftpservice.accounts.sql.sql_plugin import SQLFactory
from ftpservice.accounts.sql.sql_store import SQLStore
from ftpservice.accounts.stores.store_checker import StoreChecker


def test_it_is_what_it_says():
    assert verifyObject(ICheckerFactory, SQLFactory())
    assert verifyObject(IAccountStoreFactory, SQLFactory())


def test_a_checker_is_made_without_asking_the_database():
    checker = makeChecker("sql:postgresql://ann:hidden@127.0.0.1:1/none?cache=90s")
    assert isinstance(checker, StoreChecker)
    assert isinstance(checker.store, SQLStore)
    assert checker.place == checker.store.place == "sql:postgresql://ann@127.0.0.1:1/none"
    assert checker.cache_seconds == 90
    assert isinstance(SQLFactory().openStore("sqlite:////none/a.db"), SQLStore)


@pytest.mark.parametrize("text", ["", "mysql://ann:hidden@db/x", "postgresql://db"])
def test_a_wrong_string_is_refused(text):
    with pytest.raises(InvalidAuthArgumentString, match=r"^sql: ") as caught:
        SQLFactory().generateChecker(text)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize("name", ["sqlalchemy", "alembic", "psycopg"])
def test_a_missing_library_names_the_extra(monkeypatch, name):
    monkeypatch.setattr(sql_plugin, "find_spec", lambda asked: None if asked == name else True)
    with pytest.raises(InvalidAuthArgumentString) as caught:
        SQLFactory().openStore("sqlite:////a.db")
    assert str(caught.value) == (
        f"sql: {name} is not installed; run: pip install 'ftpservice[sql]'"
    )
