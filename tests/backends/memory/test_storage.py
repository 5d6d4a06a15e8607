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
from ftpservice.testing.contract import case
from ftpservice.testing.contract.case import at, begin, content, listed, make, partial
from ftpservice.testing.storage_contract import StorageContract


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
        if not self.tree.root.entries and not self.tree._partials:
            assert self.tree.used == 0
        assert not self.tree.running


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
        make_file = make(storage, "/file", b"x")
        run(make_file)
        verifyObject(IStorage, storage)
        verifyObject(IListing, run(storage.open_listing(at("/"))))
        verifyObject(IReading, run(storage.open_reading(at("/file"))))
        verifyObject(IWriting, run(begin(storage, "/new")))
        verifyObject(IWriting, run(begin(storage, "/file", b"", WriteRequest(WriteMode.APPEND))))
        verifyObject(IStorageSource, MemorySource())

    @pytest.mark.parametrize("capability", [IHashes, ISetTimes, ISetMode, IFreeSpace, IPartials])
    def test_every_capability_is_offered(self, capability):
        verifyObject(capability, capability(MemoryStorage()))

    def test_the_contract_hides_none_of_its_own_tests(self):
        parts = StorageContract.__bases__
        names = [
            name for disconnect in parts for name in vars(disconnect) if name.startswith("test_")
        ]
        assert len(names) == len(set(names)) > 70

    def test_the_contract_ships_without_pytest(self):
        for file in Path(case.__file__).parents[1].rglob("*.py"):
            assert "pytest" not in file.read_text().replace("pytest-twisted", "")


class TestTree:
    def test_room_is_given_back(self):
        tree = MemoryTree(capacity=10)
        storage = MemoryStorage(tree)
        run(make(storage, "/file", b"0123456789"))
        with pytest.raises(errors.NoSpace):
            run(make(storage, "/other", b"x"))
        run(storage.remove_file(at("/file")))
        run(make(storage, "/other", b"0123456789"))
        assert run(IFreeSpace(storage).free_space(at("/"))) == 0

    def test_a_file_renamed_over_gives_its_room_back(self):
        tree = MemoryTree(capacity=10)
        storage = MemoryStorage(tree)
        run(make(storage, "/one", b"12345"))
        run(make(storage, "/two", b"12345"))
        run(storage.rename(at("/one"), at("/two")))
        assert tree.used == 5

    def test_a_partial_counts_until_its_time_is_over(self):
        clock = Clock()
        tree = MemoryTree(capacity=10, partial_age=60, seconds=clock.seconds)
        storage = MemoryStorage(tree)
        run(run(begin(storage, "/file", b"0123456789")).abandon())
        with pytest.raises(errors.NoSpace):
            run(make(storage, "/other", b"x"))
        clock.advance(59)
        assert run(partial(storage, "/file")) == 10
        clock.advance(1)
        run(make(storage, "/other", b"0123456789"))
        assert run(partial(storage, "/file")) is None

    def test_a_removed_directory_takes_its_partials_along(self):
        tree = MemoryTree(capacity=10)
        storage = MemoryStorage(tree)
        run(storage.make_directory(at("/folder")))
        run(run(begin(storage, "/folder/file", b"0123456789")).abandon())
        late = run(begin(storage, "/folder/other"))
        with pytest.raises(errors.HasUploads):
            run(storage.remove_directory(at("/folder")))
        run(late.abandon())
        run(storage.remove_directory(at("/folder")))
        assert tree.used == 0

    def test_an_append_to_a_file_that_is_replaced_is_not_confirmed(self):
        storage = MemoryStorage()
        run(make(storage, "/file", b"old"))
        writing = run(begin(storage, "/file", b"lost", WriteRequest(WriteMode.APPEND)))
        run(make(storage, "/file", b"new"))
        run(writing.write(b"lost, too"))
        with pytest.raises(errors.PathNotFound):
            run(writing.commit())
        with pytest.raises(errors.Unavailable):
            run(writing.write(b"x"))
        assert run(content(storage, "/file")) == b"new"

    def test_a_reading_does_not_see_what_is_appended(self):
        storage = MemoryStorage()
        run(make(storage, "/file", b"old"))
        reading = run(storage.open_reading(at("/file")))
        run(make(storage, "/file", b"more", WriteRequest(WriteMode.APPEND)))
        assert run(reading.read(0, 100)) == b"old"
        reading.close()
        with pytest.raises(errors.Unavailable):
            run(reading.read(0, 100))

    def test_a_resume_that_brings_nothing_keeps_the_whole_partial(self):
        storage = MemoryStorage()
        run(run(begin(storage, "/file", b"0123456789")).abandon())
        run(run(begin(storage, "/file", b"", WriteRequest(offset=4))).abandon())
        assert run(partial(storage, "/file")) == 10
        run(make(storage, "/file", b"", WriteRequest(offset=4)))
        assert run(content(storage, "/file")) == b"0123"

    def test_a_listing_that_was_closed_ends(self):
        storage = MemoryStorage()
        run(make(storage, "/file"))
        listing = run(storage.open_listing(at("/")))
        listing.close()
        assert run(listing.next_batch()) == []

    @pytest.mark.parametrize("how", [WriteMode.APPEND, WriteMode.UNIQUE])
    def test_only_replacing_and_creating_go_on_from_an_offset(self, how):
        storage = MemoryStorage()
        run(make(storage, "/file", b"old"))
        with pytest.raises(errors.NotSupported):
            run(begin(storage, "/file", b"", WriteRequest(how, offset=1)))

    def test_a_name_that_no_directory_holds_is_refused(self):
        storage = MemoryStorage()
        with pytest.raises(errors.InvalidName):
            run(storage.make_directory(at("/").child("a/b")))

    def test_an_empty_directory_gives_no_way_either(self):
        storage = MemoryStorage()
        run(storage.make_directory(at("/one")))
        run(storage.make_directory(at("/two")))
        with pytest.raises(errors.Exists):
            run(storage.rename(at("/one"), at("/two")))


class TestHashes:
    def test_a_long_digest_lets_others_have_their_turn(self):
        clock = Clock()
        storage = MemoryStorage(clock=clock)
        data = b"x" * (2 * BYTES_PER_TURN + 1)
        run(make(storage, "/file", data))
        digests = []
        digest = IHashes(storage).hash(at("/file"), "SHA-1", 0, None)
        Deferred.fromCoroutine(digest).addCallback(digests.append)
        assert not digests
        clock.advance(0)
        assert digests == [hashlib.sha1(data).hexdigest()]

    def test_an_unknown_algorithm_is_unsupported(self):
        storage = MemoryStorage()
        run(make(storage, "/file", b"x"))
        with pytest.raises(errors.NotSupported):
            run(IHashes(storage).hash(at("/file"), "MD2", 0, None))


class TestSource:
    def test_each_account_has_its_place(self):
        source = MemorySource()
        one = run(source.storage("one", at("/home/one")))
        everything = run(source.storage("boss", at("/")))
        run(make(one, "/file", b"x"))
        assert run(content(everything, "/home/one/file")) == b"x"
        assert set(run(listed(run(source.storage("one", at("/home/one")))))) == {"file"}
        run(source.stop())

    def test_a_top_that_is_a_file_is_refused(self):
        source = MemorySource()
        run(make(run(source.storage("one", at("/"))), "/file", b"x"))
        with pytest.raises(errors.NotDirectory):
            run(source.storage("two", at("/file")))

    def test_a_top_that_is_removed_is_not_found(self):
        source = MemorySource()
        storage = run(source.storage("one", at("/home")))
        run(run(source.storage("boss", at("/"))).remove_directory(at("/home")))
        with pytest.raises(errors.PathNotFound):
            run(storage.stat(at("/")))

    def test_it_says_what_it_is(self):
        assert MemorySource().describe() == "memory:"
        assert MemorySource(MemoryTree(100)).describe() == "memory:capacity=100"


def test_a_replaced_file_keeps_its_owner():
    tree = MemoryTree()
    one, two = MemoryStorage(tree, "one"), MemoryStorage(tree, "two")
    run(make(one, "/file", b"old"))
    assert run(make(two, "/file", b"new")).owner == "one"
    assert run(two.stat(at("/file"))).owner == "one"
