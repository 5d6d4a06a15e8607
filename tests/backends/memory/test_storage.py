"""Storage in memory: the contract, and what only it can show."""

import hashlib
from pathlib import Path

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from ftpservice.backends.memory.capabilities import BYTES_PER_TURN
from ftpservice.backends.memory.storage import MemorySource, MemoryStorage
from ftpservice.backends.memory.tree import MemoryTree
from ftpservice.storage import errors
from ftpservice.storage.interfaces import (
    IFreeSpace,
    IHashes,
    IListing,
    IPartials,
    IReading,
    ISetMode,
    ISetTimes,
    IStorage,
    IStorageSource,
    IWriting,
    WriteMode,
    WriteRequest,
)
from ftpservice.storage.trash import TrashRule
from ftpservice.testing.contract import case
from ftpservice.testing.contract.case import (
    begin_upload,
    create_file,
    list_directory,
    partial_size,
    path_at,
    read_file,
)
from ftpservice.testing.storage_contract import StorageContract

RULE = TrashRule(3600)


class MemoryTests(StorageContract, SynchronousTestCase):
    def storage(self):
        self.tree = MemoryTree()
        return MemoryStorage(self.tree, "one")

    def other_owner_storage(self):
        return MemoryStorage(self.tree, "two")

    def small_storage(self, capacity):
        return MemoryStorage(MemoryTree(capacity))

    def check_all_closed(self):
        """All room is given back when everything is removed: nothing is counted twice or lost."""
        if not self.tree.root.entries and not self.tree._partials and not self.tree.trashed:
            assert self.tree.used == 0
        assert not self.tree.running


class MemoryTrashTests(MemoryTests):
    """What is deleted is kept, and makes no other difference."""

    def storage(self):
        return super().storage().with_trash(RULE)

    def other_owner_storage(self):
        return super().other_owner_storage().with_trash(RULE)

    def small_storage(self, capacity):
        return super().small_storage(capacity).with_trash(RULE)

    def check_all_closed(self):
        """What is kept takes room until it is removed."""
        while self.tree.trashed:
            self.tree.trashed.pop().file.content.drop()
        super().check_all_closed()


def run(call):
    """Return what a call that never waits returns, or raise what it raises."""

    async def answer():
        return await call

    results = []
    Deferred.fromCoroutine(answer()).addBoth(results.append)
    [result] = results
    if isinstance(result, Failure):
        result.raiseException()
    return result


class TestInterfaces:
    def test_what_is_promised_is_provided(self):
        storage = MemoryStorage()
        make_file = create_file(storage, "/file", b"x")
        run(make_file)
        verifyObject(IStorage, storage)
        verifyObject(IListing, run(storage.open_listing(path_at("/"))))
        verifyObject(IReading, run(storage.open_reading(path_at("/file"))))
        verifyObject(IWriting, run(begin_upload(storage, "/new")))
        verifyObject(
            IWriting, run(begin_upload(storage, "/file", b"", WriteRequest(WriteMode.APPEND)))
        )
        verifyObject(IStorageSource, MemorySource())

    @pytest.mark.parametrize("capability", [IHashes, ISetTimes, ISetMode, IFreeSpace, IPartials])
    def test_every_capability_is_offered(self, capability):
        verifyObject(capability, capability(MemoryStorage()))

    def test_the_contract_hides_none_of_its_own_tests(self):
        parts = StorageContract.__bases__
        names = [name for part in parts for name in vars(part) if name.startswith("test_")]
        assert len(names) == len(set(names)) > 70

    def test_the_contract_ships_without_pytest(self):
        for file in Path(case.__file__).parents[1].rglob("*.py"):
            assert "pytest" not in file.read_text().replace("pytest-twisted", "")


class TestTree:
    def test_room_is_given_back(self):
        tree = MemoryTree(capacity=10)
        storage = MemoryStorage(tree)
        run(create_file(storage, "/file", b"0123456789"))
        with pytest.raises(errors.NoSpace):
            run(create_file(storage, "/other", b"x"))
        run(storage.remove_file(path_at("/file")))
        run(create_file(storage, "/other", b"0123456789"))
        assert run(IFreeSpace(storage).free_space(path_at("/"))) == 0

    def test_a_file_renamed_over_gives_its_room_back(self):
        tree = MemoryTree(capacity=10)
        storage = MemoryStorage(tree)
        run(create_file(storage, "/one", b"12345"))
        run(create_file(storage, "/two", b"12345"))
        run(storage.rename(path_at("/one"), path_at("/two")))
        assert tree.used == 5

    def test_a_partial_counts_until_its_time_is_over(self):
        clock = Clock()
        tree = MemoryTree(capacity=10, partial_age=60, seconds=clock.seconds)
        storage = MemoryStorage(tree)
        run(run(begin_upload(storage, "/file", b"0123456789")).abandon())
        with pytest.raises(errors.NoSpace):
            run(create_file(storage, "/other", b"x"))
        clock.advance(59)
        assert run(partial_size(storage, "/file")) == 10
        clock.advance(1)
        run(create_file(storage, "/other", b"0123456789"))
        assert run(partial_size(storage, "/file")) is None

    def test_a_removed_directory_takes_its_partials_along(self):
        tree = MemoryTree(capacity=10)
        storage = MemoryStorage(tree)
        run(storage.make_directory(path_at("/folder")))
        run(run(begin_upload(storage, "/folder/file", b"0123456789")).abandon())
        late = run(begin_upload(storage, "/folder/other"))
        with pytest.raises(errors.HasUploads):
            run(storage.remove_directory(path_at("/folder")))
        run(late.abandon())
        run(storage.remove_directory(path_at("/folder")))
        assert tree.used == 0

    def test_an_append_to_a_file_that_is_replaced_is_not_confirmed(self):
        storage = MemoryStorage()
        run(create_file(storage, "/file", b"old"))
        writing = run(begin_upload(storage, "/file", b"lost", WriteRequest(WriteMode.APPEND)))
        run(create_file(storage, "/file", b"new"))
        run(writing.write(b"lost, too"))
        with pytest.raises(errors.PathNotFound):
            run(writing.commit())
        with pytest.raises(errors.Unavailable):
            run(writing.write(b"x"))
        assert run(read_file(storage, "/file")) == b"new"

    def test_a_reading_does_not_see_what_is_appended(self):
        storage = MemoryStorage()
        run(create_file(storage, "/file", b"old"))
        reading = run(storage.open_reading(path_at("/file")))
        run(create_file(storage, "/file", b"more", WriteRequest(WriteMode.APPEND)))
        assert run(reading.read(0, 100)) == b"old"
        reading.close()
        with pytest.raises(errors.Unavailable):
            run(reading.read(0, 100))

    def test_a_resume_that_brings_nothing_keeps_the_whole_partial(self):
        storage = MemoryStorage()
        run(run(begin_upload(storage, "/file", b"0123456789")).abandon())
        run(run(begin_upload(storage, "/file", b"", WriteRequest(offset=4))).abandon())
        assert run(partial_size(storage, "/file")) == 10
        run(create_file(storage, "/file", b"", WriteRequest(offset=4)))
        assert run(read_file(storage, "/file")) == b"0123"

    def test_a_listing_that_was_closed_ends(self):
        storage = MemoryStorage()
        run(create_file(storage, "/file"))
        listing = run(storage.open_listing(path_at("/")))
        listing.close()
        assert run(listing.next_batch()) == []

    @pytest.mark.parametrize("how", [WriteMode.APPEND, WriteMode.UNIQUE])
    def test_only_replacing_and_creating_go_on_from_an_offset(self, how):
        storage = MemoryStorage()
        run(create_file(storage, "/file", b"old"))
        with pytest.raises(errors.NotSupported):
            run(begin_upload(storage, "/file", b"", WriteRequest(how, offset=1)))

    def test_a_name_that_no_directory_holds_is_refused(self):
        storage = MemoryStorage()
        with pytest.raises(errors.InvalidName):
            run(storage.make_directory(path_at("/").child("a/b")))

    def test_an_empty_directory_gives_no_way_either(self):
        storage = MemoryStorage()
        run(storage.make_directory(path_at("/one")))
        run(storage.make_directory(path_at("/two")))
        with pytest.raises(errors.Exists):
            run(storage.rename(path_at("/one"), path_at("/two")))


class TestHashes:
    def test_a_long_digest_lets_others_have_their_turn(self):
        clock = Clock()
        storage = MemoryStorage(clock=clock)
        data = b"x" * (2 * BYTES_PER_TURN + 1)
        run(create_file(storage, "/file", data))
        digests = []
        digest = IHashes(storage).hash(path_at("/file"), "SHA-1", 0, None)
        Deferred.fromCoroutine(digest).addCallback(digests.append)
        assert not digests
        clock.advance(0)
        assert digests == [hashlib.sha1(data).hexdigest()]

    def test_an_unknown_algorithm_is_unsupported(self):
        storage = MemoryStorage()
        run(create_file(storage, "/file", b"x"))
        with pytest.raises(errors.NotSupported):
            run(IHashes(storage).hash(path_at("/file"), "MD2", 0, None))


class TestSource:
    def test_each_account_has_its_place(self):
        source = MemorySource()
        one = run(source.storage("one", path_at("/home/one")))
        everything = run(source.storage("boss", path_at("/")))
        run(create_file(one, "/file", b"x"))
        assert run(read_file(everything, "/home/one/file")) == b"x"
        assert set(run(list_directory(run(source.storage("one", path_at("/home/one")))))) == {
            "file"
        }
        run(source.stop())

    def test_a_top_that_is_a_file_is_refused(self):
        source = MemorySource()
        run(create_file(run(source.storage("one", path_at("/"))), "/file", b"x"))
        with pytest.raises(errors.NotDirectory):
            run(source.storage("two", path_at("/file")))

    def test_a_top_that_is_removed_is_not_found(self):
        source = MemorySource()
        storage = run(source.storage("one", path_at("/home")))
        run(run(source.storage("boss", path_at("/"))).remove_directory(path_at("/home")))
        with pytest.raises(errors.PathNotFound):
            run(storage.stat(path_at("/")))

    def test_it_says_what_it_is(self):
        assert MemorySource().describe() == "memory:"
        assert MemorySource(MemoryTree(100)).describe() == "memory:capacity=100"


def test_a_replaced_file_keeps_its_owner():
    tree = MemoryTree()
    one, two = MemoryStorage(tree, "one"), MemoryStorage(tree, "two")
    run(create_file(one, "/file", b"old"))
    assert run(create_file(two, "/file", b"new")).owner == "one"
    assert run(two.stat(path_at("/file"))).owner == "one"
