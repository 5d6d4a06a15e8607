"""Accounts with a quota: what is charged, and what is refused."""

import contextlib
import random
from unittest import mock

import pytest
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from ftpservice.backends.memory.capabilities import MemoryUndelete
from ftpservice.backends.memory.storage import MemoryStorage
from ftpservice.backends.memory.tree import MemoryTree
from ftpservice.storage.errors import QuotaExceeded, StorageError, Unavailable
from ftpservice.storage.interfaces import IPartials, IStorage, WriteRequest
from ftpservice.storage.permissions import RestrictedStorage
from ftpservice.storage.quota.account import QuotaAccount
from ftpservice.storage.quota.book import QuotaBook
from ftpservice.storage.quota.ledgers.ledger import NO_LIMITS, QuotaLimits
from ftpservice.storage.quota.metered_storage import MeteredStorage
from ftpservice.storage.quota_interfaces import IQuota, ITreeUsage
from ftpservice.storage.rights import PRESETS
from ftpservice.storage.trash import ITrash, TrashRule
from ftpservice.testing.contract.case import (
    begin_upload,
    create_file,
    list_directory,
    partial_size,
    path_at,
    read_file,
)
from ftpservice.testing.storage_contract import StorageContract
from ftpservice.wire.paths import ROOT, VirtualPath
from tests.support.random_changes import random_change, run, seeds

PLENTY = QuotaLimits(1 << 40, 1 << 20)
RULE = TrashRule(3600, versions=3)


def metered(book, storage, owner, limits=PLENTY):
    return MeteredStorage(QuotaAccount.of(storage, book, owner, ITreeUsage(storage).place, limits))


class MemoryContractTests(StorageContract, SynchronousTestCase):
    """The contract holds through the wrapper, and the sums are right after every test."""

    def storage(self):
        self.tree, self.book = MemoryTree(), QuotaBook(Clock())
        self.inner = MemoryStorage(self.tree, "one")
        return metered(self.book, self.inner, "one")

    def other_owner_storage(self):
        return metered(self.book, MemoryStorage(self.tree, "two"), "two")

    async def check_all_closed(self):
        [tree] = self.book.trees.values()
        ledger = tree.ledger
        found = await ITreeUsage(self.inner).tree_usage(ROOT)
        self.assertEqual((ledger.size, ledger.files), (found.size, found.files))
        self.assertEqual((tree.counts.changes, ledger.credit_size, ledger.credit_files), (0, 0, 0))
        self.assertEqual((ledger.held_size, ledger.held_files), (0, 0))


class TrashContractTests(MemoryContractTests):
    """What is deleted is kept, and counts."""

    def storage(self):
        super().storage()
        self.inner = self.inner.with_trash(RULE)
        return metered(self.book, self.inner, "one")

    def other_owner_storage(self):
        return metered(self.book, MemoryStorage(self.tree, "two").with_trash(RULE), "two")


class Bench:
    """One tree in memory and its ledgers."""

    def __init__(self):
        self.clock = Clock()
        self.tree, self.book = MemoryTree(seconds=self.clock.seconds), QuotaBook(self.clock)

    def storage(self, owner="ann", top="/", size=None, files=None, trash=None):
        inner = MemoryStorage(self.tree, owner, VirtualPath.parse(top), trash=trash)
        limits = NO_LIMITS if size is files is None else QuotaLimits(size, files)
        return metered(self.book, inner, owner, limits)

    def check(self):
        """Compare every ledger with its tree."""
        for place, tree in self.book.trees.items():
            ledger = tree.ledger
            inner = MemoryStorage(self.tree, "x", VirtualPath(place[1:]))
            found = run(ITreeUsage(inner).tree_usage(ROOT))
            assert (ledger.size - ledger.held_size) == found.size, place
            assert (ledger.files - ledger.held_files) == found.files, place

    def use(self, *names):
        ledger = self.book.trees[(self.tree, *names)].ledger
        return ledger.size, ledger.files


@pytest.fixture
def bench():
    return Bench()


def test_it_is_a_storage_with_a_quota(bench):
    storage = bench.storage(size=10)
    assert verifyObject(IStorage, storage)
    assert verifyObject(IQuota, IQuota(storage))
    assert verifyObject(IPartials, IPartials(storage))
    assert IQuota(bench.storage(), None) is None
    assert ITreeUsage(storage, None) is None


@pytest.mark.parametrize("preset", PRESETS)
def test_every_account_sees_its_quota(bench, preset):
    storage = RestrictedStorage(bench.storage(size=10, files=3), PRESETS[preset])
    assert tuple(run(IQuota(storage).quota_state())) == (0, 0, 10, 3)


def test_reading_is_the_storages_own(bench):
    storage = bench.storage(size=10)
    assert storage.stat.__self__ is storage._inner


def test_a_file_that_can_never_fit_is_known_to(bench):
    quota = IQuota(bench.storage(size=10))
    quota.check_size(10)
    with pytest.raises(QuotaExceeded):
        quota.check_size(11)


@pytest.mark.parametrize(
    ("limits", "named"),
    [
        ({"size": 10}, ["bytes left"]),
        ({"files": 1}, ["files left"]),
        ({"size": 10, "files": 1}, ["bytes left", "files left"]),
    ],
)
def test_a_refusal_says_what_is_left_of_the_limits_that_there_are(bench, limits, named):
    storage = bench.storage(**limits)
    run(create_file(storage, "/a", b"123456"))
    with pytest.raises(QuotaExceeded) as refused:
        run(create_file(storage, "/b", b"12345"))
    left = [part.partition(": ") for part in refused.value.detail.split(", ")]
    assert [what for what, _, _ in left] == named
    assert all(count.isdecimal() for _, _, count in left)


def test_what_is_announced_is_held_from_the_beginning(bench):
    storage = bench.storage(size=10)
    first = run(begin_upload(storage, "/a", request=WriteRequest(announced=6)))
    for request in (WriteRequest(announced=5), WriteRequest(expected=5)):
        with pytest.raises(QuotaExceeded):
            run(begin_upload(storage, "/b", request=request))
    run(create_file(storage, "/b", b"1234", WriteRequest(expected=4)))
    run(first.write(b"123456"))
    run(first.commit())
    bench.check()
    assert bench.use() == (10, 2)


def test_nothing_is_kept_of_an_upload_that_is_too_large(bench):
    storage = bench.storage(size=10)
    writing = run(begin_upload(storage, "/a", b"12345678"))
    with pytest.raises(QuotaExceeded):
        run(writing.write(b"123"))
    run(writing.abandon())
    assert run(partial_size(storage, "/a")) is None
    assert bench.use() == (0, 0)


def test_a_partial_upload_is_kept_and_counts_if_it_fits(bench):
    storage = bench.storage(size=10)
    run(run(begin_upload(storage, "/a", b"123456")).abandon())
    assert bench.use() == (6, 1)
    with pytest.raises(QuotaExceeded):
        run(create_file(storage, "/b", b"12345"))
    run(create_file(storage, "/a", b"7890", WriteRequest(offset=6)))
    assert run(read_file(storage, "/a")) == b"1234567890"
    assert bench.use() == (10, 1)


def test_an_interrupted_overwrite_is_kept_only_beside_the_old_file(bench):
    storage = bench.storage(size=10)
    run(create_file(storage, "/a", b"12345678"))
    run(run(begin_upload(storage, "/a", b"12")).abandon())
    assert run(partial_size(storage, "/a")) == 2
    bench.check()
    run(run(begin_upload(storage, "/a", b"123")).abandon())
    assert run(partial_size(storage, "/a")) is None
    assert bench.use() == (8, 1)


def test_an_upload_whose_room_is_taken_away_fails_at_the_end(bench):
    storage = bench.storage(size=10)
    run(create_file(storage, "/a", b"12345678"))
    writing = run(begin_upload(storage, "/a", b"123456789"))
    run(storage.rename(path_at("/a"), path_at("/b")))
    with pytest.raises(QuotaExceeded):
        run(writing.commit())
    assert set(run(list_directory(storage))) == {"b"}
    assert bench.use() == (8, 1)
    bench.check()


def test_what_other_programs_remove_is_seen_before_a_refusal(bench):
    storage = bench.storage(size=10)
    run(create_file(storage, "/a", b"12345678"))
    run(MemoryStorage(bench.tree).remove_file(path_at("/a")))
    with pytest.raises(QuotaExceeded):
        run(create_file(storage, "/b", b"12345"))
    bench.clock.advance(6)
    run(create_file(storage, "/b", b"12345"))
    assert bench.use() == (5, 1)


def test_files_of_other_programs_are_deleted_and_the_use_is_not_negative(bench):
    storage = bench.storage(size=100)
    quota = IQuota(RestrictedStorage(storage, PRESETS["full"]))
    assert tuple(run(quota.quota_state()))[:2] == (0, 0)
    others = MemoryStorage(bench.tree, "other")
    run(create_file(others, "/a", b"x" * 23))
    run(create_file(others, "/b", b"12345"))
    run(storage.remove_file(path_at("/a")))
    assert tuple(run(quota.quota_state()))[:2] == (0, 0)
    bench.clock.advance(bench.book.recount_interval)
    assert tuple(run(quota.quota_state()))[:2] == (5, 1)
    bench.check()
    bench.book.stop()


def test_room_that_was_given_back_since_a_refusal_is_used(bench):
    storage = bench.storage(size=10, files=2)
    run(create_file(storage, "/a", b"12345678"))
    account = storage._account
    run(account.find_room(path_at("/b"), 2, 1))
    for size, files in ((3, 1), (2, 2)):
        with pytest.raises(QuotaExceeded):
            run(account.find_room(path_at("/b"), size, files))


def test_accounts_with_the_same_root_share_its_use(bench):
    ann, ben, root = bench.storage("ann", size=10), bench.storage("ben", size=5), bench.storage()
    run(create_file(ann, "/a", b"123456"))
    with pytest.raises(QuotaExceeded):
        run(create_file(ben, "/b", b"1"))
    run(create_file(root, "/c", b"1" * 100))
    assert bench.use() == (106, 2)
    with pytest.raises(QuotaExceeded):
        run(create_file(ann, "/a", b"1234567"))
    run(create_file(ann, "/d", b""))
    bench.check()


def test_an_inner_tree_counts_for_the_outer_one_too(bench):
    outer = bench.storage("outer", size=100)
    run(outer.make_directory(path_at("/in")))
    inner = bench.storage("inner", "/in", size=10)
    run(create_file(inner, "/a", b"12345"))
    run(create_file(outer, "/in/b", b"123"))
    assert bench.use() == (8, 3)
    assert bench.use("in") == (8, 2)
    with pytest.raises(QuotaExceeded):
        run(create_file(inner, "/c", b"123"))
    run(outer.rename(path_at("/in/a"), path_at("/a")))
    assert (bench.use(), bench.use("in")) == ((8, 3), (3, 1))
    run(inner.make_directory(path_at("/d")))
    run(create_file(inner, "/d/x", b"12"))
    run(outer.rename(path_at("/in/d"), path_at("/d")))
    assert (bench.use(), bench.use("in")) == ((10, 5), (3, 1))
    run(outer.rename(path_at("/d"), path_at("/in/e")))
    assert (bench.use(), bench.use("in")) == ((10, 5), (5, 3))
    bench.check()


def test_a_ledger_made_during_an_upload_takes_part(bench):
    root = bench.storage("root")
    run(root.make_directory(path_at("/in")))
    writing = run(begin_upload(root, "/in/a", b"12345"))
    bench.storage("ann", "/in", size=10)
    assert bench.use("in") == (5, 1)
    run(writing.write(b"678"))
    run(writing.commit())
    assert bench.use("in") == (8, 1)
    bench.check()


def test_the_number_of_names_counts_directories(bench):
    storage = bench.storage(files=2)
    run(storage.make_directory(path_at("/d")))
    run(create_file(storage, "/d/a", b"x"))
    for call in (storage.make_directory(path_at("/e")), create_file(storage, "/b", b"")):
        with pytest.raises(QuotaExceeded):
            run(call)
    run(create_file(storage, "/d/a", b"other"))
    with pytest.raises(StorageError):
        run(storage.make_directory(path_at("/d")))
    run(storage.remove_file(path_at("/d/a")))
    run(storage.remove_directory(path_at("/d")))
    assert bench.use() == (0, 0)


def test_files_of_the_trash_count_and_are_restored_without_room(bench):
    storage = bench.storage(size=10, files=3, trash=RULE)
    run(create_file(storage, "/a", b"12345"))
    run(storage.remove_file(path_at("/a")))
    assert bench.use() == (5, 1)
    run(create_file(storage, "/b", b"12345"))
    assert bench.use() == (10, 2)
    [one] = run(ITrash(storage).trashed(ROOT))
    run(ITrash(storage).restore(one, one.path, False))
    assert bench.use() == (10, 2)
    run(create_file(storage, "/a", b"54321"))
    assert run(read_file(storage, "/a")) == b"54321"
    assert run(ITrash(storage).trashed(ROOT)) == []
    bench.check()


def test_the_oldest_files_of_the_trash_make_room(bench):
    storage = bench.storage(size=20, trash=RULE)
    for name in ("/a", "/b", "/c"):
        run(create_file(storage, name, b"12345"))
        run(storage.remove_file(path_at(name)))
    run(create_file(storage, "/d", b"1234567890"))
    assert [str(one.path) for one in run(ITrash(storage).trashed(ROOT))] == ["/c", "/b"]
    writing = run(begin_upload(storage, "/e", request=WriteRequest(announced=7)))
    run(writing.write(b"1234567"))
    run(writing.commit())
    assert run(ITrash(storage).trashed(ROOT)) == []
    with pytest.raises(QuotaExceeded):
        run(create_file(storage, "/f", b"1234"))
    bench.check()


def test_two_that_remove_the_same_file_of_the_trash_both_find_room(bench):
    storage = bench.storage(size=20, trash=RULE)
    run(create_file(storage, "/a", b"12345"))
    run(storage.remove_file(path_at("/a")))
    trash = storage._account.trash
    [old] = run(ITrash(storage).trashed(ROOT))
    with mock.patch.object(type(trash._trash), "oldest", mock.AsyncMock(return_value=[old])):
        assert [run(trash.free(1, 1)) for _ in range(2)] == [True, True]
    assert run(trash.free(1, 1)) is False
    bench.check()


def failing_discard(name):
    """Make one file of a trash one that cannot be removed."""
    real = MemoryUndelete.discard

    async def discard(self, files):
        if any(one.path.name == name for one in files):
            raise Unavailable(files[0].path, "input/output error")
        return await real(self, files)

    return mock.patch.object(MemoryUndelete, "discard", discard)


def test_a_discard_that_fails_charges_what_has_gone(bench):
    storage = bench.storage(size=20, trash=RULE)
    for name in ("/a", "/b", "/c"):
        run(create_file(storage, name, b"12345"))
        run(storage.remove_file(path_at(name)))
    with failing_discard("b"), pytest.raises(Unavailable):
        run(ITrash(storage).discard(run(ITrash(storage).trashed(ROOT))))
    usage = run(IQuota(storage).quota_state())
    assert (usage.size, usage.files) == (10, 2)
    assert [str(one.path) for one in run(ITrash(storage).trashed(ROOT))] == ["/b", "/a"]


def test_a_file_of_the_trash_that_cannot_be_removed_refuses_no_upload(bench):
    storage = bench.storage(size=10, trash=RULE)
    for name in ("/a", "/b"):
        run(create_file(storage, name, b"12345"))
        run(storage.remove_file(path_at(name)))
    with failing_discard("a"):
        run(create_file(storage, "/c", b"12345"))
    assert [str(one.path) for one in run(ITrash(storage).trashed(ROOT))] == ["/a"]
    with failing_discard("a"), pytest.raises(QuotaExceeded):
        run(create_file(storage, "/d", b"12345"))


def test_a_directory_finds_room_in_the_trash(bench):
    storage = bench.storage(files=2, trash=RULE)
    for name in ("/a", "/b"):
        run(create_file(storage, name, b"x"))
        run(storage.remove_file(path_at(name)))
    run(storage.make_directory(path_at("/d")))
    assert [str(one.path) for one in run(ITrash(storage).trashed(ROOT))] == ["/b"]
    assert run(ITrash(storage).discard(run(ITrash(storage).trashed(ROOT))))
    assert bench.use() == (0, 1)


def test_an_upload_over_a_file_fits_with_a_trash_as_it_does_without(bench):
    storage = bench.storage(size=10, trash=RULE)
    for content in (b"12345678", b"123456789", b"1234"):
        run(create_file(storage, "/a", content))
        assert run(read_file(storage, "/a")) == content
        bench.check()
        assert bench.use()[0] <= 10
    run(create_file(storage, "/b", b"123456"))
    assert bench.use() == (10, 2)


def test_the_trash_of_an_outer_account_is_no_use_of_an_inner_one(bench):
    root = bench.storage("root", trash=RULE)
    run(root.make_directory(path_at("/in")))
    bench.storage("ann", "/in", size=10)
    run(create_file(root, "/in/a", b"12345"))
    assert bench.use("in") == (5, 1)
    run(root.remove_file(path_at("/in/a")))
    assert bench.use("in") == (0, 0)
    bench.check()


@pytest.mark.parametrize("trash", [None, RULE])
@pytest.mark.parametrize("seed", seeds(40))
def test_no_sequence_of_changes_makes_a_ledger_drift(bench, seed, trash):
    chance = random.Random(seed)
    run(MemoryStorage(bench.tree).make_directory(path_at("/in")))
    storages = [
        bench.storage("ann", size=60, files=9, trash=trash),
        bench.storage("ben", "/in", size=30, trash=trash),
        bench.storage("root", trash=trash),
    ]
    writings = []
    for _ in range(300):
        with contextlib.suppress(StorageError):
            random_change(storages, writings, chance)
        if "in" not in run(list_directory(MemoryStorage(bench.tree))):
            return  # the root of an account is gone
    for writing in writings:
        run(writing.abandon())
    bench.check()
    for tree in bench.book.trees.values():
        ledger = tree.ledger
        assert (ledger.held_size, ledger.held_files, tree.counts.changes) == (0, 0, 0)
        assert (ledger.credit_size, ledger.credit_files) == (0, 0)
