"""The accounts of a database as others change them: plain SQL, rows that cannot be used."""

import pytest

from ftpservice.accounts.account_record import AccountRecord, renamed
from ftpservice.accounts.account_store import InvalidAccount, StoreUnavailable
from ftpservice.accounts.sql.database_url import parse_database_url
from ftpservice.accounts.sql.sql_store import SQLStore
from tests.accounts.doubles import SECRET


@pytest.fixture
def case(store_case):
    return store_case


databases = pytest.mark.parametrize("store_case", ["sqlite", "postgresql"], indirect=True)
INSERT = "INSERT INTO ftpservice_accounts (name, password_hash, rights, root, options) VALUES"


@databases
def test_an_account_that_plain_sql_added_is_an_account(case):
    case.execute(f"{INSERT} ('ann', '{SECRET}', 'read', '/ann', 'tls=required, rate-up=1K')")
    found = case.store.find("ann")
    assert (found.root, found.tls_required, found.rate_up) == ("/ann", True, 1024)
    case.execute("UPDATE ftpservice_accounts SET disabled = true, expires = '2027-01-31'")
    assert case.store.find("ann").disabled
    case.store.change("ann", {"max_sessions": 3})
    assert case.execute("SELECT max_sessions, options, root, rights FROM ftpservice_accounts") == [
        (3, "rate-up=1024,tls=required", "/ann", "read")
    ]


@databases
@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (f"('bad', '{SECRET}', 'raed', '/', '')", "unknown right 'raed'"),
        ("('bad', 'secret', 'full', '/', '')", "not a hash of a known kind"),
        (f"('bad', '{SECRET}', 'full', '/../x', '')", "'..'"),
        (f"('bad', '{SECRET}', 'full', '/', 'tsl=required')", "unknown option 'tsl=required'"),
        (f"('bad', '{SECRET}', 'full', '/', 'quota=10G')", "belongs into the column 'quota_bytes'"),
        (f"(' bad', '{SECRET}', 'full', '/', '')", "begins or ends with a space"),
    ],
)
def test_a_row_that_cannot_be_used_is_named_and_others_are_used(case, values, reason):
    case.store.add(AccountRecord("ann", SECRET))
    case.execute(f"{INSERT} {values}")
    assert [record.name for record in case.store.accounts()] == ["ann"]
    [problem] = case.store.problems()
    assert "bad'" in problem
    assert reason in problem
    name = values[2 : values.index("',")]
    with pytest.raises(InvalidAccount, match="correct it or remove the account"):
        case.store.find(name)
    case.store.remove(name)
    assert case.store.problems() == []


@databases
@pytest.mark.parametrize(
    "change",
    [
        "name = ''",
        "name = 'a:b'",
        "rights = ''",
        "max_sessions = 0",
        "quota_bytes = -1",
        "expires = '2027-02-30'",
        "password_hash = ''",
        "root = NULL",
        "disabled = NULL",
    ],
)
def test_the_schema_refuses_what_can_never_be_right(case, change):
    case.store.add(AccountRecord("ann", SECRET))
    with pytest.raises(Exception, match=r"(?i)constraint|out of range|invalid"):
        case.execute(f"UPDATE ftpservice_accounts SET {change}")
    assert case.store.problems() == []


def test_a_value_of_the_wrong_kind_disables_its_account_only(tmp_path):
    import sqlite3

    from ftpservice.accounts.sql.migration import upgrade

    store = SQLStore(parse_database_url(f"sqlite:///{tmp_path}/a.db"))
    upgrade(store.database)
    store.add(AccountRecord("ann", SECRET))
    store.add(AccountRecord("bob", SECRET))
    connection = sqlite3.connect(tmp_path / "a.db")
    with connection:
        connection.execute("UPDATE ftpservice_accounts SET quota_bytes = 'much' WHERE name = 'bob'")
    connection.close()
    assert [record.name for record in store.accounts()] == ["ann"]
    assert "bob" in store.problems()[0]


@databases
def test_what_a_database_refuses_is_an_invalid_account(store_case, monkeypatch):
    from ftpservice.accounts.sql import sql_store

    row = sql_store.row_of(AccountRecord("ann", SECRET))
    monkeypatch.setattr(sql_store, "row_of", lambda _record: row | {"max_sessions": 0})
    with pytest.raises(InvalidAccount, match="max_sessions"):
        store_case.store.add(AccountRecord("ann", SECRET))


def test_a_missing_file_is_not_created(tmp_path):
    store = SQLStore(parse_database_url(f"sqlite:///{tmp_path}/none.db"))
    with pytest.raises(StoreUnavailable, match="no such file; run: ftpservice db upgrade --store"):
        store.accounts()
    assert not (tmp_path / "none.db").exists()


@databases
def test_an_account_with_the_former_name_of_another_one_has_an_owner_of_its_own(case):
    case.store.add(AccountRecord("ann", SECRET))
    case.store.change("ann", renamed(case.store.find("ann"), "anna"))
    case.store.add(AccountRecord("ann", SECRET))
    assert case.store.find("anna").owner == "ann"
    assert case.store.find("ann").owner.startswith("ann.")
