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
    GroupInUse,
    IAccountStore,
    InvalidAccount,
    NoSuchAccount,
)
from ftpservice.accounts.groups.inheritance import ValueWord
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


def group(name, **others):
    return AccountRecord(f"@{name}", "*", **{"root": "", "rights": frozenset(), **others})


def member(name, *groups, **others):
    return record(name, **{"root": "", "rights": frozenset(), "groups": groups, **others})


def test_accounts_inherit_from_groups(store):
    store.add(group("staff", root="/srv/{user}", rights=PRESETS["read"], max_sessions=2))
    store.add(member("ann", "staff", max_sessions=5))
    found = store.find("ann")
    assert (found.root, found.rights, found.max_sessions) == ("/srv/ann", PRESETS["read"], 5)
    assert dict(found.inherited)["root"] == "staff"
    assert list(store.accounts()) == [found]
    assert [one.name for one in store.groups()] == ["@staff"]
    assert store.find("@staff") == store.groups()[0]
    assert list(store.members("staff")) == ["ann"]
    changed = store.change("@staff", {"quota_bytes": 10, "max_sessions": ValueWord.NONE})
    assert (changed.quota_bytes, changed.without) == (10, {"max_sessions"})
    found = store.find("ann")
    assert (found.quota_bytes, found.max_sessions, found.root) == (10, 5, "/srv/ann")
    assert store.change("ann", {"max_sessions": ValueWord.INHERIT}).max_sessions is None
    assert store.change("ann", {"quota_bytes": ValueWord.NONE}).quota_bytes is None
    assert store.find("ann").without == {"quota_bytes"}
    assert store.change("ann", {"quota_bytes": 7}).quota_bytes == 7
    assert store.find("ann").root == "/srv/ann"
    assert list(store.problems()) == []


def test_the_defaults_are_for_all_accounts(store):
    store.add(record("ann", root="/ann"))
    store.add(group("default", quota_files=9, root="/srv/{user}", rights=PRESETS["read"]))
    store.add(member("ben"))
    assert (store.find("ann").quota_files, store.find("ann").root) == (9, "/ann")
    assert (store.find("ben").root, store.find("ben").rights) == ("/srv/ben", PRESETS["read"])
    with pytest.raises(InvalidAccount, match=r"account 'ben' could not log in: neither"):
        store.remove("@default")
    store.remove("@default", force=True)
    assert store.find("ann").quota_files is None
    with pytest.raises(InvalidAccount, match="nor its groups give it rights"):
        store.find("ben")
    assert len(store.problems()) == 1


@pytest.mark.parametrize(
    ("refused", "reason"),
    [
        (member("bob", "gone"), "account 'bob' could not log in: the group 'gone' does not exist"),
        (member("bob", "bare"), "neither the account nor its groups give it rights"),
        (member("..", "staff"), "the name cannot be put into '/srv/{user}'"),
        (member("a/b", "staff"), "the name cannot be put into"),
        (group("inner", groups=("staff",)), "a group cannot be in another group"),
        (group("x", root="/srv/../{user}"), "cannot be written|contains '..'"),
    ],
    ids=["missing", "no rights", "dots", "slash", "nested", "root"],
)
def test_an_account_that_could_not_log_in_is_not_added(store, refused, reason):
    store.add(group("staff", root="/srv/{user}", rights=PRESETS["read"]))
    store.add(group("bare", max_sessions=1))
    for add in (store.add, lambda one: store.add_many([one], dry_run=True)):
        with pytest.raises(InvalidAccount, match=reason):
            add(refused)
    assert names(store) == []
    assert len(store.groups()) == 2


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("@staff", {"root": ValueWord.INHERIT}),
        ("ann", {"groups": ()}),
        ("ann", {"groups": ("vip",)}),
    ],
)
def test_a_change_that_would_give_the_root_of_the_service_is_not_made(store, name, changes):
    store.add_many(
        [
            AccountRecord("@staff", "*", "/people/{user}", PRESETS["full"]),
            AccountRecord("@vip", "*", "", frozenset()),
            AccountRecord("ann", SECRET, "", PRESETS["full"], groups=("staff",)),
            AccountRecord("ben", SECRET, "/", PRESETS["full"], groups=("staff",)),
        ]
    )
    with pytest.raises(InvalidAccount, match="'ann' would have / as root"):
        store.change(name, changes)
    assert store.find("ann").root == "/people/ann"
    store.change("ann", {"root": "/"})
    store.change(name, changes)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("ann", {"groups": (), "rights": PRESETS["full"]}),
        ("ann", {"groups": ("vip",)}),
        ("@staff", None),
    ],
    ids=["no groups", "another group", "the group again"],
)
def test_an_account_whose_group_is_gone_does_not_get_the_root_of_the_service(store, name, changes):
    store.add_many(
        [
            AccountRecord("@staff", "*", "/people/{user}", PRESETS["full"]),
            AccountRecord("@vip", "*", "", PRESETS["full"]),
            AccountRecord("ann", SECRET, "", frozenset(), groups=("staff",)),
        ]
    )
    store.remove("@staff", force=True)
    with pytest.raises(InvalidAccount, match="'ann' would have / as root"):
        if changes is None:
            store.add(AccountRecord("@staff", "*", "", PRESETS["full"]))
        else:
            store.change(name, changes)
    assert names(store) == []
    if changes is None:
        store.add(AccountRecord("@staff", "*", "/", PRESETS["full"]))
    else:
        store.change(name, {**changes, "root": "/"})
    assert store.find("ann").root == "/"


def test_a_change_that_would_disable_accounts_is_not_made(store):
    store.add(group("staff", rights=PRESETS["read"]))
    store.add_many([member(f"user{number}", "staff") for number in range(7)])
    before = store.find("user3")
    for changes in ({"rights": ValueWord.INHERIT}, {"name": "@other"}, {"root": "/{group}/x/"}):
        if changes.get("root"):
            assert store.change("@staff", changes).root == "/{group}/x/"
        else:
            with pytest.raises(InvalidAccount, match=r"'user4' and 2 more could not log in"):
                store.change("@staff", changes)
    assert store.find("user3") == replace(before, root="/staff/x/")
    with pytest.raises(InvalidAccount, match="'gone' does not exist"):
        store.change("user3", {"groups": ("staff", "gone")})
    with pytest.raises(GroupInUse, match=r"'staff' is one of accounts 'user0'.* and 2 more"):
        store.remove("@staff")
    store.remove("@staff", force=True)
    assert names(store) == []
    assert len(store.problems()) >= 1
    with pytest.raises(InvalidAccount, match="the group 'staff' does not exist"):
        store.find("user3")
    assert store.change("user3", {"disabled": True}).disabled
    changes = {"groups": (), "rights": PRESETS["read"], "root": "/"}
    assert store.change("user3", changes).root == "/"
    store.add(group("staff", rights=PRESETS["full"], root="/"))
    assert len(names(store)) == 7
    assert store.find("user3").disabled


def test_a_group_is_no_account(store):
    store.add(group("staff", rights=PRESETS["full"]))
    with pytest.raises(NoSuchAccount, match="no account 'staff'"):
        store.find("staff")
    with pytest.raises(NoSuchAccount, match="no group 'other'"):
        store.find("@other")
    with pytest.raises(AccountExists, match="a group 'staff' already"):
        store.add(group("staff"))
    with pytest.raises(InvalidAccount, match="in place of the hash"):
        store.change("@staff", {"password_hash": SECRET})
    store.add(record("staff"))
    assert names(store) == ["staff"]
    assert store.replace_hashes({"@staff": ("*", SECRET)}) == []


def test_groups_and_accounts_are_added_in_one_change(store):
    added = [member("ann", "staff"), group("staff", rights=PRESETS["read"])]
    with pytest.raises(InvalidAccount, match="'gone' does not exist"):
        store.add_many([*added, member("ben", "gone")])
    assert len(store.add_many(added, dry_run=True)) == 2
    assert not names(store)
    assert not store.groups()
    store.add_many(added)
    assert store.find("ann").rights == PRESETS["read"]
    with pytest.raises(InvalidAccount, match="account 'ann' could not log in"):
        store.add_many([group("staff")], ExistingAccounts.REPLACE)
    store.add_many([group("staff", rights=PRESETS["full"])], ExistingAccounts.REPLACE)
    assert store.find("ann").rights == PRESETS["full"]


def test_changes_of_a_group_by_several_writers_are_all_made(store):
    store.add(group("staff", rights=PRESETS["read"]))
    store.add(member("ann", "staff"))
    changes = [{"max_sessions": 3}, {"rate_up": 4}, {"quota_bytes": 5}, {"tls_required": True}]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda change: store.change("@staff", change), changes))
    found = store.find("ann")
    assert (found.max_sessions, found.rate_up, found.quota_bytes, found.tls_required) == (
        *(3, 4, 5),
        True,
    )
