"""What holds for every account store that can be changed: a file, SQLite, PostgreSQL."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from ipaddress import ip_network

import pytest
from zope.interface.verify import verifyObject

from ftpservice.accounts.account_record import AccountRecord, CertificateUse
from ftpservice.accounts.account_store import (
    AccountExists,
    ExistingAccounts,
    IAccountStore,
    InvalidAccount,
    NoSuchAccount,
)
from ftpservice.accounts.password_hash import hash_password
from ftpservice.storage.rights import PRESETS, Right
from tests.accounts.doubles import SECRET
from tests.support.service_process import checkout_environment

OTHER = SECRET.replace("c2FsdHNhbHQ", "c2FsdHNhbHU")
HOSTILE = [
    "'; DROP TABLE ftpservice_accounts; --",
    "x' OR '1'='1",
    'quote"d',
    "per%cent_",
    "back\\slash",
    "grün",
    "\U0001f600",
    "a" * 2000,
]


@pytest.fixture
def store(store_case):
    return store_case.store


def record(name, **others):
    return AccountRecord(name, SECRET, **others)


def same(found, expected):
    return replace(found, line=0) == expected


def names(store):
    return sorted(found.name for found in store.accounts())


def test_it_is_a_store_without_accounts(store):
    assert verifyObject(IAccountStore, store)
    assert list(store.accounts()) == list(store.problems()) == []
    with pytest.raises(NoSuchAccount, match="no account 'ann'"):
        store.find("ann")


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"root": "/grün/a:b,c", "rights": PRESETS["read"] | {Right.CREATE}},
        {"root": "local:/srv/files:and,more", "max_sessions": 3, "disabled": True},
        {"expires": date(2027, 1, 31), "quota_bytes": 10 << 40, "quota_files": 7},
        {"networks": (ip_network("10.0.0.0/8"), ip_network("fd00::/8")), "tls_required": True},
        {"rate_down": 1000, "rate_up": 2_000_000, "certificate": CertificateUse.LOGIN},
    ],
    ids=["plain", "rights", "storage", "limits", "networks", "rates"],
)
def test_all_that_an_account_has_comes_back(store, fields):
    store.add(record("ann", **fields))
    assert same(store.find("ann"), record("ann", **fields))
    [listed] = store.accounts()
    assert same(listed, record("ann", **fields))
    cleared = store.change("ann", {name: getattr(record("x"), name) for name in fields})
    assert same(cleared, record("ann"))
    assert same(store.find("ann"), record("ann"))


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_a_name_is_only_a_name(store, name):
    store.add(record("ann"))
    if name.endswith("\\"):
        return
    store.add(record(name, root="/x"))
    assert same(store.find(name), record(name, root="/x"))
    assert store.change(name, {"disabled": True}).disabled
    assert not store.find("ann").disabled
    assert store.replace_hashes({name: (SECRET, OTHER)}) == [name]
    store.remove(name)
    assert names(store) == ["ann"]


@pytest.mark.parametrize("name", ["a:b", "", " ann", "ann\n", "a\0b"])
def test_a_name_that_cannot_be_stored_is_refused(store, name):
    with pytest.raises(InvalidAccount):
        store.add(record(name))
    with pytest.raises(NoSuchAccount):
        store.find(name)
    with pytest.raises(NoSuchAccount):
        store.remove(name)
    assert names(store) == []


def test_names_differ_by_case(store):
    store.add(record("ann"))
    store.add(record("Ann", root="/other"))
    assert store.find("ann").root == "/"
    assert names(store) == ["Ann", "ann"]


def test_what_exists_or_is_missing_is_said_and_changes_nothing(store):
    store.add_many([record("ann"), record("ben", root="/ben")])
    with pytest.raises(AccountExists, match="'ann' already"):
        store.add(record("ann", root="/x"))
    with pytest.raises(AccountExists, match="'ben' already"):
        store.change("ann", {"name": "ben"})
    with pytest.raises(InvalidAccount):
        store.change("ann", {"root": "/a\nb"})
    for act in (store.remove, lambda name: store.change(name, {"disabled": True})):
        with pytest.raises(NoSuchAccount, match="'cat'"):
            act("cat")
    assert same(store.find("ann"), record("ann"))
    assert same(store.find("ben"), record("ben", root="/ben"))


def test_a_rename_keeps_the_rest(store):
    store.add(record("ann", root="/ann", max_sessions=2))
    assert same(store.change("ann", {"name": "bob"}), record("bob", root="/ann", max_sessions=2))
    assert names(store) == ["bob"]


@pytest.mark.parametrize("existing", list(ExistingAccounts))
@pytest.mark.parametrize("dry_run", [False, True])
def test_many_are_added_all_or_none(store, existing, dry_run):
    store.add(record("ann", root="/old"))
    new = [record("ann", root="/new"), record("ben")]
    if existing is ExistingAccounts.REFUSE:
        with pytest.raises(AccountExists) as caught:
            store.add_many(new, existing, dry_run)
        assert list(caught.value.names) == ["ann"]
        assert names(store) == ["ann"]
        return
    written = [found.name for found in store.add_many(new, existing, dry_run)]
    assert written == (["ben"] if existing is ExistingAccounts.SKIP else ["ann", "ben"])
    assert names(store) == (["ann"] if dry_run else ["ann", "ben"])
    is_replaced = existing is ExistingAccounts.REPLACE and not dry_run
    assert store.find("ann").root == ("/new" if is_replaced else "/old")


def test_one_that_cannot_be_stored_or_is_named_twice_stops_all(store):
    for bad in (record("a:b"), record("ann")):
        with pytest.raises(InvalidAccount):
            store.add_many([record("ann"), bad])
    assert names(store) == []


def test_only_hashes_that_are_still_the_same_are_replaced(store):
    store.add_many([record("ann", root="/ann"), record("ben")])
    hashes = {"ann": (SECRET, OTHER), "ben": (OTHER, SECRET), "cat": (SECRET, OTHER)}
    assert store.replace_hashes(hashes) == ["ann"]
    assert store.find("ann") == replace(store.find("ann"), password_hash=OTHER, root="/ann")
    assert store.find("ben").password_hash == SECRET


def test_two_writers_at_one_store_lose_nothing(store_case):
    def write(number):
        mine = StoreAgain(store_case)
        for count in range(10):
            mine.add(record(f"user{number}-{count}"))
            mine.change("shared", {("rate_up", "rate_down")[number]: count + 1})

    store_case.store.add(record("shared"))
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, range(2)))
    assert len(store_case.store.accounts()) == 21
    shared = store_case.store.find("shared")
    assert (shared.rate_up, shared.rate_down) == (10, 10)


def StoreAgain(store_case):
    """Open the same store once more."""
    from ftpservice.admin.store_options import open_store

    return open_store(store_case.description, None)


WRITER = """
import sys
from ftpservice.accounts.account_record import AccountRecord
from ftpservice.admin.store_options import open_store
store, hashed = open_store(sys.argv[1], None), sys.argv[2]
for round in range(1000):
    store.add_many([AccountRecord(f"{round}-{number}", hashed) for number in range(50)])
    print(round, flush=True)
"""


def test_a_writer_that_is_killed_leaves_whole_changes(store_case):
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, store_case.description, SECRET],
        env=checkout_environment(),
        stdout=subprocess.PIPE,
    )
    with writer:
        for _ in range(3):
            assert writer.stdout.readline()
        writer.kill()
        said = 3 + len(writer.stdout.read().splitlines())
    count = len(store_case.store.accounts())
    assert count % 50 == 0
    assert count // 50 in (said, said + 1)
    store_case.store.add(record("after"))
    assert store_case.store.find("after").root == "/"


def test_an_account_that_a_command_added_has_its_password(store_case):
    store_case.store.add(AccountRecord("ann", hash_password("secret")))
    assert StoreAgain(store_case).find("ann").password_hash.startswith("$argon2id$")
