"""The accounts of a database as logins and the watch see them."""

import threading
import time

import pytest
from zope.interface.verify import verifyObject

from ftpservice.accounts.account_record import AccountRecord
from ftpservice.accounts.account_store import IAccountLookup, StoreUnavailable
from ftpservice.accounts.groups.inheritance import ValueWord
from ftpservice.accounts.passwd_line import parse_line
from ftpservice.accounts.sql import sql_lookup
from ftpservice.accounts.sql.database_url import parse_database_url
from ftpservice.accounts.sql.sql_lookup import SQLLookup
from ftpservice.storage.rights import PRESETS
from tests.accounts.doubles import SECRET

pytestmark = pytest.mark.parametrize("store_case", ["sqlite", "postgresql"], indirect=True)
INSERT = "INSERT INTO ftpservice_accounts (name, password_hash, rights, root, options) VALUES"


@pytest.fixture
def case(store_case):
    store_case.store.add_many(
        [AccountRecord(name, SECRET, f"/{name}") for name in ("ann", "ben", "cat")]
    )
    return store_case


@pytest.fixture
def lookup(case):
    lookup = SQLLookup(parse_database_url(case.description.removeprefix("sql:")))
    yield lookup
    lookup.close()


def test_it_is_a_store_for_logins(lookup):
    assert verifyObject(IAccountLookup, lookup)
    found = lookup.look_up("ann", b"anything")
    assert (found.record.root, found.is_right, found.unusable) == ("/ann", None, "")


@pytest.mark.parametrize("name", ["nobody", "", "Ann", "a\0", "\udcff", "x' OR 'a'='a", "%", "an_"])
def test_an_unknown_name_is_not_found_and_has_a_decoy(lookup, name):
    assert lookup.look_up(name, b"").record is None
    assert lookup.decoy_hash(name).startswith(SECRET[: SECRET.index("p=1$") + 4])
    assert lookup.decoy_hash(name) == lookup.decoy_hash(name)


def test_a_change_by_plain_sql_is_seen_by_the_next_login(case, lookup):
    assert not lookup.look_up("ann", b"").record.disabled
    case.execute("UPDATE ftpservice_accounts SET disabled = true WHERE name = 'ann'")
    assert lookup.look_up("ann", b"").record.disabled
    case.execute("DELETE FROM ftpservice_accounts")
    assert lookup.look_up("ann", b"").record is None


def test_a_row_that_cannot_be_used_is_closed_with_the_reason(case, lookup):
    case.execute(f"{INSERT} ('bad', '{SECRET}', 'raed', '/', '')")
    found = lookup.look_up("bad", b"")
    assert "raed" in found.unusable
    assert found.record.disabled
    assert lookup.current(["bad"])["bad"].disabled


def test_the_watch_reads_rows_only_after_a_change(case, lookup, monkeypatch):
    names = ["ann", "ben", "nobody"]
    assert set(lookup.current(names)) == {"ann", "ben"}
    reads = []
    read = lookup._database.read
    monkeypatch.setattr(lookup._database, "read", lambda query: reads.append(1) or read(query))
    for _ in range(3):
        assert set(lookup.current(names)) == {"ann", "ben"}
    assert reads == []
    case.execute("UPDATE ftpservice_accounts SET root = '/other' WHERE name = 'ben'")
    assert lookup.current(names)["ben"].root == "/other"
    case.execute(f"{INSERT} ('nobody', '{SECRET}', 'read', '/', '')")
    case.store.remove("ann")
    assert set(lookup.current(names)) == {"ben", "nobody"}
    assert lookup.current([]) == {}
    assert len(reads) == 6  # the rows, groups and quotas, after each of two changes


def test_accounts_that_share_files_with_one_that_has_a_quota_are_marked(case, lookup, monkeypatch):
    monkeypatch.setattr(sql_lookup, "SUMMARY_SECONDS", -1.0)
    case.store.add(AccountRecord("inner", SECRET, "/ann/inner"))
    assert not lookup.look_up("ann", b"").record.shares_quota
    case.store.change("inner", {"quota_files": 3})
    assert lookup.look_up("ann", b"").record.shares_quota
    assert lookup.look_up("inner", b"").record.shares_quota
    assert not lookup.look_up("ben", b"").record.shares_quota
    case.store.change("inner", {"quota_files": None})
    assert not lookup.look_up("ann", b"").record.shares_quota


def test_a_quota_without_one_of_files_is_shared_too(case, lookup, monkeypatch):
    monkeypatch.setattr(sql_lookup, "SUMMARY_SECONDS", -1.0)
    staff = AccountRecord("@staff", "*", "", frozenset(), quota_files=9)
    case.store.add_many([staff, AccountRecord("inner", SECRET, "/ann/inner", groups=("staff",))])
    case.store.change("inner", {"quota_bytes": 3, "quota_files": ValueWord.NONE})
    assert lookup.look_up("ann", b"").record.shares_quota


def test_accounts_with_mounts_may_share_files_with_one_that_has_a_quota(case, lookup, monkeypatch):
    monkeypatch.setattr(sql_lookup, "SUMMARY_SECONDS", -1.0)
    line = f"dan:{SECRET}:/dan:full:mount=/in=local\\:/srv/in"
    case.store.add(parse_line(line))
    assert not lookup.look_up("dan", b"").record.shares_quota
    case.store.change("ann", {"quota_files": 3})
    assert lookup.look_up("dan", b"").record.shares_quota
    assert not lookup.look_up("ben", b"").record.shares_quota
    case.store.change("ann", {"quota_files": None})
    case.store.change("dan", {"quota_files": 3})
    assert lookup.look_up("ben", b"").record.shares_quota


def test_threads_look_up_at_the_same_time(lookup):
    seen = []

    def look():
        for name in ("ann", "ben", "cat") * 10:
            seen.append(lookup.look_up(name, b"").record.name == name)

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [True] * 240


def test_a_store_without_its_schema_says_what_to_do(case, lookup):
    lookup.look_up("ann", b"")
    case.execute("DROP TABLE ftpservice_version")
    case.execute("DROP TABLE ftpservice_accounts")
    with pytest.raises(StoreUnavailable, match="ftpservice_accounts"):
        lookup.look_up("ann", b"")
    with pytest.raises(StoreUnavailable, match=r"schema is none, needed is .*db upgrade --store"):
        lookup.look_up("ann", b"")


def add_many(case, rights, root, quota_files="NULL", options=""):
    """Add 10,000 accounts by SQL: to write them is not what takes time here."""
    columns = "name, password_hash, rights, root, quota_files, options"
    case.execute(
        "WITH RECURSIVE numbers(n) AS"
        " (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < 9999)"
        f" INSERT INTO ftpservice_accounts ({columns}) SELECT"
        f" 'user' || n, '{SECRET}', '{rights}', {root}, {quota_files}, '{options}' FROM numbers"
    )


@pytest.mark.no_cover
def test_10_000_accounts(case, lookup, parsed):
    add_many(case, "full", "'/' || n", 9)
    lookup.look_up("ann", b"")
    parsed.clear()
    for number in range(0, 10_000, 100):
        assert lookup.look_up(f"user{number}", b"").record.root == f"/{number}"
    assert len(parsed) == 100
    names = [f"user{number}" for number in range(2000)]
    assert len(lookup.current(names)) == 2000
    parsed.clear()
    for _ in range(10):
        assert len(lookup.current(names)) == 2000
    assert parsed == []


def test_a_login_has_what_the_account_inherits_with_one_query_more(case, lookup, monkeypatch):
    case.store.add_many(
        [
            AccountRecord("@staff", "*", "/srv/{user}", PRESETS["read"]),
            AccountRecord("eve", SECRET, "", frozenset(), groups=("staff",)),
        ]
    )
    assert lookup.look_up("eve", b"").record.root == "/srv/eve"
    reads = []
    read = lookup._database.read
    monkeypatch.setattr(lookup._database, "read", lambda query: reads.append(1) or read(query))
    assert lookup.look_up("eve", b"").record.rights == PRESETS["read"]
    assert len(reads) == 2
    assert lookup.look_up("ann", b"").record.root == "/ann"
    assert len(reads) == 4
    assert lookup.look_up("@staff", b"*").record is None
    assert lookup.look_up("staff", b"").record is None
    assert len(reads) == 6  # as many as for a known name
    # Changes of groups are in force at once.
    case.execute("UPDATE ftpservice_accounts SET root = '/{group}' WHERE name = '@staff'")
    assert lookup.look_up("eve", b"").record.root == "/staff"
    case.execute(f"{INSERT} ('@default', '*', 'inherit', '', 'tls=required')")
    assert lookup.look_up("ann", b"").record.tls_required
    case.execute(f"{INSERT} ('@late', '*', 'inherit', '/late', '')")
    case.execute(f"{INSERT} ('leo', '{SECRET}', 'read', '', 'group=late')")
    assert lookup.look_up("leo", b"").record.root == "/late"


def test_a_change_of_a_group_by_sql_is_seen_by_the_watch(case, lookup):
    case.execute(f"{INSERT} ('@staff', '*', 'read', '/srv/{{user}}', '')")
    case.execute(f"{INSERT} ('eve', '{SECRET}', 'inherit', '', 'group=staff')")
    assert lookup.current(["eve"])["eve"].root == "/srv/eve"
    case.execute("UPDATE ftpservice_accounts SET quota_bytes = 5 WHERE name = '@staff'")
    assert lookup.current(["eve"])["eve"].quota_bytes == 5
    case.execute("UPDATE ftpservice_accounts SET options = 'quota=x' WHERE name = '@staff'")
    assert lookup.current(["eve"])["eve"].disabled
    found = lookup.look_up("eve", b"")
    assert found.record.disabled
    assert "the group 'staff' cannot be used: the option 'quota' belongs" in found.unusable
    case.execute("DELETE FROM ftpservice_accounts WHERE name = '@staff'")
    assert "the group 'staff' does not exist" in lookup.look_up("eve", b"").unusable
    assert lookup.current(["eve"])["eve"].disabled
    case.execute(f"{INSERT} ('@default', 'broken', 'read', '', '')")
    assert lookup.current(["ann"])["ann"].disabled
    case.execute("DELETE FROM ftpservice_accounts WHERE name = '@default'")
    assert not lookup.current(["ann"])["ann"].disabled


@pytest.mark.parametrize(
    ("group", "member", "other", "is_shared"),
    [
        ("'/srv/{user}'", "''", "'/srv/ann'", True),
        ("'/srv/{user}'", "''", "'/srv'", True),
        ("'/srv/{user}'", "''", "'/other'", False),
        ("'/srv'", "'/own'", "'/own/inner'", True),
        ("''", "''", "'/any'", True),
        ("''", "'/own'", "'/any'", False),
        ("'local:/srv/{user}'", "''", "'/any'", True),
    ],
)
def test_files_shared_with_one_that_inherits_a_quota(
    case, lookup, monkeypatch, group, member, other, is_shared
):
    monkeypatch.setattr(sql_lookup, "SUMMARY_SECONDS", -1.0)
    case.execute(f"{INSERT} ('@staff', '*', 'read', {group}, '')")
    case.execute("UPDATE ftpservice_accounts SET quota_files = 5 WHERE name = '@staff'")
    case.execute(f"{INSERT} ('eve', '{SECRET}', 'inherit', {member}, 'group=staff')")
    case.execute(f"{INSERT} ('kim', '{SECRET}', 'read', {other}, '')")
    case.execute("DELETE FROM ftpservice_accounts WHERE name IN ('ann', 'ben')")
    assert lookup.look_up("kim", b"").record.shares_quota is is_shared


def test_10_000_accounts_of_one_group(case, lookup, parsed):
    staff = AccountRecord("@staff", "*", "/srv/{user}", PRESETS["full"], quota_files=9)
    case.store.add(staff)
    add_many(case, "inherit", "''", options="group=staff")
    names = [f"user{number}" for number in range(500)]
    assert len(lookup.current(names)) == 500
    case.execute("UPDATE ftpservice_accounts SET max_sessions = 2 WHERE name = '@staff'")
    parsed.clear()
    wait_for(lambda: lookup.current(names)["user7"].max_sessions == 2)
    assert lookup.look_up("user8", b"").record.root == "/srv/user8"
    assert len(parsed) < 2 * len(names)


@pytest.fixture
def parsed(monkeypatch):
    """The rows that were parsed."""
    rows = []
    record_of = sql_lookup.record_of

    def counted(row):
        rows.append(row)
        return record_of(row)

    monkeypatch.setattr(sql_lookup, "record_of", counted)
    return rows


def test_the_quotas_of_many_accounts_take_one_record(case, lookup, parsed):
    many = [AccountRecord(f"u{n}", SECRET, f"/u{n}", quota_bytes=1) for n in range(100)]
    case.store.add_many(many)
    lookup.current(())
    assert len(parsed) == 1
    assert lookup.look_up("u7", None).record.shares_quota
    assert not lookup.look_up("ann", None).record.shares_quota


def test_what_takes_long_for_all_accounts_is_not_read_after_every_change(case, lookup, monkeypatch):
    monkeypatch.setattr(sql_lookup, "LONG_READ_SECONDS", -1.0)
    monkeypatch.setattr(sql_lookup, "PAUSE_FACTOR", 1e9)
    lookup.current(["ann"])
    statements = []
    read = lookup._database.read
    monkeypatch.setattr(
        lookup._database, "read", lambda one: statements.append(str(one)) or read(one)
    )
    for root in ("/1", "/2", "/3"):
        case.store.change("ann", {"root": root})
        wait_for(lambda root=root: lookup.current(["ann"])["ann"].root == root)
    assert statements and not any("DISTINCT" in one for one in statements)
    lookup._next_read = 0.0
    lookup.current(["ann"])
    assert "DISTINCT" in statements[-1]


def wait_for(condition):
    """PostgreSQL tells of a change a moment after it."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
