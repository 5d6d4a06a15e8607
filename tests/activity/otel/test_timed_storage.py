"""A storage whose calls are timed keeps the contract and tells of its calls."""

from __future__ import annotations

import pytest
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from ftpservice.activity.otel.timed_storage import TimedStorage
from ftpservice.backends.memory.storage import MemoryStorage
from ftpservice.backends.memory.tree import MemoryTree
from ftpservice.storage.errors import PathNotFound
from ftpservice.storage.interfaces import (
    IFreeSpace,
    IHashes,
    ISetTimes,
    IStorage,
    IWriting,
    WriteRequest,
)
from ftpservice.testing.contract.case import create_file, path_at, read_file
from ftpservice.testing.storage_contract import StorageContract
from tests.support.random_changes import run


class TimedContractTests(StorageContract, SynchronousTestCase):
    """The contract holds through the wrapper."""

    def storage(self):
        self.tree = MemoryTree()
        return TimedStorage(MemoryStorage(self.tree, "one"), "s-1", bool)

    def other_owner_storage(self):
        return TimedStorage(MemoryStorage(self.tree, "two"), "s-2", bool)


@pytest.fixture
def calls():
    return []


@pytest.fixture
def storage(calls):
    return TimedStorage(MemoryStorage(), "s-1", calls.append)


def test_calls_and_commits_are_told_with_their_errors(storage, calls):
    run(create_file(storage, "/a", b"content"))
    assert run(read_file(storage, "/a")) == b"content"
    run(storage.rename(path_at("/a"), path_at("/b")))
    with pytest.raises(PathNotFound):
        run(storage.remove_file(path_at("/a")))
    run(storage.make_directory(path_at("/d")))
    run(storage.open_listing(path_at("/d")))
    run(storage.remove_directory(path_at("/d")))
    run(storage.stat(path_at("/b")))
    told = [(call.name, call.path, call.error) for call in calls]
    assert told == [
        ("open_writing", "/a", ""),
        ("commit", "/a", ""),
        ("open_reading", "/a", ""),
        ("rename", "/a", ""),
        ("remove_file", "/a", "PathNotFound"),
        ("make_directory", "/d", ""),
        ("open_listing", "/d", ""),
        ("remove_directory", "/d", ""),
    ]
    assert {call.session for call in calls} == {"s-1"}
    assert all(call.seconds >= 0 and call.started > 1e9 for call in calls)


def test_it_offers_what_the_storage_offers(storage):
    assert verifyObject(IStorage, storage)
    inner = MemoryStorage()
    for interface in (IHashes, ISetTimes, IFreeSpace):
        offered = interface(inner, None) is not None
        assert (interface(storage, None) is not None) == offered


@implementer(IWriting)
class SlottedWriting:
    """An upload of a class with ``__slots__``."""

    __slots__ = ("_inner", "path")

    def __init__(self, inner):
        self._inner = inner
        self.path = inner.path

    offset = property(lambda self: self._inner.offset)

    def write(self, data):
        return self._inner.write(data)

    def commit(self):
        return self._inner.commit()

    def abandon(self):
        return self._inner.abandon()


class SlottedStorage(MemoryStorage):
    """A storage with such uploads."""

    async def open_writing(self, path, request):
        return SlottedWriting(await super().open_writing(path, request))


def test_uploads_of_classes_with_slots_are_timed_too(calls):
    storage = TimedStorage(SlottedStorage(), "s-1", calls.append)
    run(create_file(storage, "/a", b"content"))
    assert run(read_file(storage, "/a")) == b"content"
    assert [call.name for call in calls] == ["open_writing", "commit", "open_reading"]
    writing = run(storage.open_writing(path_at("/b"), WriteRequest()))
    assert verifyObject(IWriting, writing)
    assert writing.offset == 0
    run(writing.abandon())
