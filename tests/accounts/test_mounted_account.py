"""Accounts with mounts: whose storages are opened when, and what their quotas count."""

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from ftpservice.accounts.account_record import AccountRecord
from ftpservice.accounts.realm import Realm
from ftpservice.backends.directory_check import DirectoryCheck
from ftpservice.backends.mounts.account_mount import parse_mount
from ftpservice.backends.mounts.mount_rules import MountRules, RenameAcrossMounts
from ftpservice.backends.strings import build_source
from ftpservice.concurrency.thread_pool import InlineRunner, PoolStopped
from ftpservice.storage import errors
from ftpservice.storage.interfaces import IPartials
from ftpservice.storage.quota_interfaces import IQuota
from ftpservice.storage.rights import PRESETS, parse_directory_rights
from ftpservice.testing.contract.case import (
    begin_upload,
    create_file,
    list_directory,
    path_at,
    read_file,
)
from tests.accounts.test_realm import account, avatar, quota_realm, result


def record(name, *mounts, **words):
    return AccountRecord(name, "", mounts=tuple(map(parse_mount, mounts)), **words)


def mounts_realm(*records, copies=False):
    realm = quota_realm(*records)
    how = RenameAcrossMounts.COPY if copies else RenameAcrossMounts.REFUSE
    realm.mount_rules = MountRules(realm.quotas.clock, how)
    return realm


def run(call):
    async def answer():
        return await call

    found = result(answer())
    if hasattr(found, "raiseException"):
        found.raiseException()
    return found


def used(storage):
    state = run(IQuota(storage).quota_state())
    return state.size, state.files


def test_mounts_are_paths_of_the_service_or_storages_of_their_own():
    realm = mounts_realm(
        record("ann", "/shared=/team", "/own=memory:", "/two=memory:", root="/ann"),
        AccountRecord("ben", "", "/team"),
    )
    ann, ben = (account(realm, name).storage for name in (b"ann", b"ben"))
    for name in ("/file", "/shared/file", "/own/file"):
        run(create_file(ann, name, name.encode()))
    assert run(read_file(ben, "/file")) == b"/shared/file"
    assert not run(list_directory(ann, "/two"))  # each has a storage of its own
    again = account(realm, b"ann").storage
    assert run(read_file(again, "/own/file")) == b"/own/file"


def test_a_mount_that_cannot_be_opened_does_not_prevent_the_login():
    realm = mounts_realm(record("ann", "/in=local:/no/such/directory", "/m=memory:", root="/ann"))
    storage = account(realm, b"ann").storage
    assert set(run(list_directory(storage))) == {"in", "m"}
    with pytest.raises(errors.Unavailable):
        run(storage.stat(path_at("/in")))
    run(create_file(storage, "/m/file", b"x"))


def test_a_directory_is_looked_at_in_a_thread_before_it_is_opened(tmp_path):
    realm, pool = mounts_realm(record("ann", f"/in=local:{tmp_path}/in", root="/ann")), held_pool()
    opened = []
    realm._open_source = lambda text: opened.append(text) or build_source("memory:", Clock())
    realm.directories = DirectoryCheck(Clock(), pool)
    storage = account(realm, b"ann").storage
    [hanging] = result(cancellable(storage.stat(path_at("/in"))))
    assert not hanging.called
    assert not opened
    pool.release()  # there is no such directory
    assert not opened
    (tmp_path / "in").mkdir()
    result(cancellable(storage.stat(path_at("/in"))))
    pool.release()
    assert opened == [f"local:{tmp_path}/in"]
    run(realm.stop())
    with pytest.raises(PoolStopped):
        run(pool.run(list))


async def cancellable(call):
    async def answer():
        return await call

    waiting = Deferred.fromCoroutine(answer())
    waiting.addErrback(lambda failure: failure.trap(errors.StorageError))
    return [waiting]


def held_pool():
    """Return a pool whose calls are made when they are released."""
    pool = InlineRunner()
    pool.held = True
    return pool


def test_without_rules_an_account_with_mounts_is_refused():
    realm = quota_realm(record("ann", "/m=memory:"))
    assert avatar(realm, b"ann").check(errors.Unavailable)


def test_rights_hold_in_mounts():
    realm = mounts_realm(record("ann", "/m=memory:", rights=PRESETS["read"]))
    storage = account(realm, b"ann").storage
    with pytest.raises(errors.Denied):
        run(create_file(storage, "/m/file", b"x"))


def test_a_quota_holds_for_root_and_mounts_together():
    realm = mounts_realm(record("ann", "/m=memory:", root="/ann", quota_bytes=10, quota_files=4))
    storage = account(realm, b"ann").storage
    run(create_file(storage, "/own", b"1234"))
    run(create_file(storage, "/m/file", b"12345"))
    assert used(storage) == (9, 2)
    for name in ("/more", "/m/more"):
        with pytest.raises(errors.QuotaExceeded):
            run(create_file(storage, name, b"12"))
    assert not run(IPartials(storage).all_partials())
    run(storage.remove_file(path_at("/m/file")))
    run(run(begin_upload(storage, "/m/part", b"123456")).abandon())
    assert used(storage) == (10, 2)
    run(IPartials(storage).drop_partials())
    assert used(storage) == (4, 1)
    assert tuple(run(realm.quota_of("ann", recount=True)))[:2] == (4, 1)


def test_sessions_share_the_quota_and_a_new_service_counts_the_same():
    ann = record("ann", "/m=/mine", root="/ann", quota_bytes=10)
    realm = mounts_realm(ann)
    first, second = (account(realm, b"ann").storage for _ in range(2))
    run(create_file(first, "/m/file", b"123456"))
    with pytest.raises(errors.QuotaExceeded):
        run(create_file(second, "/file", b"12345"))
    realm.quotas.trees.clear()
    realm.quotas.roots.__init__()
    assert used(account(realm, b"ann").storage) == (6, 1)


def test_what_others_do_in_a_mount_counts():
    realm = mounts_realm(
        record("ann", "/m=/team", root="/ann", quota_bytes=10), AccountRecord("ben", "", "/team/b")
    )
    ben, ann = (account(realm, name).storage for name in (b"ben", b"ann"))
    assert used(ann) == (0, 1)  # the directory of ben
    run(create_file(ben, "/file", b"1234567"))
    assert used(ann) == (7, 2)
    with pytest.raises(errors.QuotaExceeded):
        run(create_file(ann, "/file", b"1234"))


def test_a_mount_inside_the_root_counts_once():
    realm = mounts_realm(record("ann", "/m=/ann/inner", root="/ann", quota_bytes=100))
    storage = account(realm, b"ann").storage
    run(create_file(storage, "/m/file", b"12345"))
    assert used(storage) == (5, 2)
    assert tuple(run(realm.quota_of("ann", recount=True)))[:2] == (5, 2)


def test_a_read_only_mount_does_not_count():
    realm = mounts_realm(
        record("ann", "/m=/big,read-only", quota_bytes=10, root="/ann"),
        AccountRecord("ben", "", "/big"),
    )
    run(create_file(account(realm, b"ben").storage, "/file", b"x" * 100))
    ann = account(realm, b"ann").storage
    assert len(run(read_file(ann, "/m/file"))) == 100
    run(create_file(ann, "/file", b"x" * 10))
    assert used(ann) == (10, 1)


def test_a_move_between_mounts_keeps_the_quota():
    realm = mounts_realm(
        record("ann", "/m=memory:", root="/ann", quota_bytes=10, quota_files=2), copies=True
    )
    storage = account(realm, b"ann").storage
    run(create_file(storage, "/file", b"12345"))
    run(storage.rename(path_at("/file"), path_at("/m/file")))
    assert used(storage) == (5, 1)
    run(create_file(storage, "/big", b"123"))
    with pytest.raises(errors.QuotaExceeded):  # the copy needs room
        run(storage.rename(path_at("/m/file"), path_at("/file")))
    assert used(storage) == (8, 2)
    assert set(run(list_directory(storage, "/m"))) == {"file"}


def test_a_storage_that_comes_back_is_counted(tmp_path):
    realm = mounts_realm(record("ann", "/m=later:", root="/ann", quota_bytes=10))
    opens, is_down = realm._open_source, [True]

    def open_source(text):
        if is_down[0]:
            raise ValueError("down")
        return opens("memory:")

    realm._open_source = open_source
    storage = account(realm, b"ann").storage
    assert used(storage) == (0, 0)
    is_down[0] = False
    source = run(realm._source_for("later:", "ann", "ann:/m"))
    run(create_file(run(source.storage("ann", path_at("/"))), "/file", b"12345678"))
    run(storage.stat(path_at("/m")))
    assert used(storage) == (8, 1)
    with pytest.raises(errors.QuotaExceeded):
        run(create_file(storage, "/file", b"123"))


def test_a_storage_that_hangs_does_not_keep_the_quota_from_being_counted():
    realm = mounts_realm(record("ann", "/in=local:/hangs", root="/ann", quota_bytes=10))
    realm.directories = DirectoryCheck(Clock(), held_pool())
    storage = account(realm, b"ann").storage
    [uploading] = result(cancellable(create_file(storage, "/file", b"12345")))
    assert not uploading.called
    realm.quotas.clock.advance(5)
    assert uploading.called
    assert used(storage) == (5, 1)


def test_sources_of_mounts_are_stopped_with_the_realm():
    realm = mounts_realm(record("ann", "/m=memory:"))
    run(account(realm, b"ann").storage.stat(path_at("/m")))
    stopped = []
    [source] = realm._opened.values()
    source.stop = lambda: stopped.append(source) or source.storage("ann", path_at("/"))
    run(realm.stop())
    assert stopped == [source]
    assert isinstance(realm, Realm)


def test_rights_by_directory_hold_in_mounts_and_count_for_the_quota():
    rules = {
        "rights": PRESETS["full"],
        "directory_rights": (
            parse_directory_rights("/in: upload-only"),
            parse_directory_rights("/archive/open: read"),
        ),
    }
    ann = record("ann", "/in=memory:", "/archive=memory:", root="/ann", quota_bytes=10, **rules)
    _, found, _ = avatar(mounts_realm(ann), b"ann")
    storage = found.storage
    run(create_file(storage, "/in/file", b"12345"))
    run(create_file(storage, "/file", b"123"))
    assert used(storage)[0] == 8
    with pytest.raises(errors.QuotaExceeded):
        run(create_file(storage, "/in/other", b"123"))
    with pytest.raises(errors.StorageError):
        run(read_file(storage, "/in/file"))
    with pytest.raises(errors.StorageError):
        run(list_directory(storage, "/in"))
    run(storage.make_directory(path_at("/archive/closed")))
    with pytest.raises(errors.Denied):
        run(create_file(storage, "/archive/open", b""))
    for fixed in ("/in", "/archive"):
        with pytest.raises(errors.StorageError):
            run(storage.rename(path_at(fixed), path_at("/elsewhere")))
    with pytest.raises(errors.StorageError):
        run(storage.rename(path_at("/in/file"), path_at("/stolen")))
    assert used(storage)[0] == 8
