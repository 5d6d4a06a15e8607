"""The contract itself: it suits storages of every manner, and sees through bad ones."""

import unittest

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import implementer

from ftpservice.backends.memory.storage import MemoryStorage
from ftpservice.backends.memory.tree import MemoryTree
from ftpservice.storage.errors import InvalidName, NoSpace, NotSupported, StorageError
from ftpservice.storage.interfaces import IStorage, WriteMode, WriteRequest
from ftpservice.testing.storage_contract import StorageContract


@implementer(IStorage)
class Bare:
    """A storage with no more than the core, which writes whole files only."""

    def __init__(self):
        self._inner = MemoryStorage()

    def __conform__(self, interface):
        return None

    def __getattr__(self, name):
        return getattr(self._inner, name)

    async def open_writing(self, path, request):
        if request.write_mode in (WriteMode.APPEND, WriteMode.UNIQUE):
            raise NotSupported(path)
        if not path.name.isascii():
            raise InvalidName(path)
        return await self._inner.open_writing(path, request)


class BareTests(StorageContract, SynchronousTestCase):
    """What a storage does not offer is not asked of it."""

    def storage(self):
        return Bare()

    # Its names are ASCII only, which the contract allows for bytes that are no UTF-8 alone.
    test_unusual_names_are_stored_unchanged = None


class Late:
    """Anything of a storage, answering a little later than asked."""

    def __init__(self, inner, clock):
        self._inner, self._clock = inner, clock

    def __getattr__(self, name):
        attribute = getattr(self._inner, name)
        if name in ("close", "take_freed") or not callable(attribute):
            return attribute
        if name == "with_trash":
            return lambda rule: LateStorage(attribute(rule), self._clock)

        async def answer(*arguments, **named):
            await deferLater(self._clock, 1)
            result = await attribute(*arguments, **named)
            return Late(result, self._clock) if name.startswith("open_") else result

        return answer


@implementer(IStorage)
class LateStorage(Late):
    def __conform__(self, interface):
        offered = interface(self._inner, None)
        return None if offered is None or interface is IStorage else Late(offered, self._clock)


class LateTests(StorageContract, SynchronousTestCase):
    """A storage may take its time, and be given its hooks' answers later too."""

    async def _late(self, owner):
        await deferLater(self.clock, 1)
        return LateStorage(MemoryStorage(self.tree, owner), self.clock)

    def setUp(self):
        self.clock = Clock()
        self.tree = MemoryTree()

    def storage(self):
        return self._late("one")

    def other_owner_storage(self):
        return self._late("two")

    def finish(self, test):
        for _ in range(5000):
            if test.called:
                break
            self.clock.advance(1)
        return super().finish(test)


class Leaky(MemoryStorage):
    """A storage with one fault, named when it is made."""

    def __init__(self, tree, owner, fault):
        super().__init__(tree, owner if fault != "partials shared" else "all")
        self.fault = fault

    async def open_writing(self, path, request):
        fault = self.fault
        if fault == "create replaces" and request.write_mode is WriteMode.CREATE:
            request = WriteRequest(offset=request.offset, announced=request.announced)
        if fault == "announced ignored":
            request = WriteRequest(request.write_mode, request.offset)
        writing = await super().open_writing(path, request)
        if fault == "abandon publishes" and request.write_mode is WriteMode.REPLACE:
            writing.abandon = writing.commit
        if fault == "seen early" and request.write_mode is WriteMode.REPLACE:
            await (await super().open_writing(path, WriteRequest())).commit()
        return writing

    async def remove_file(self, path):
        if self.fault == "odd errors":
            raise NoSpace(path)
        await super().remove_file(path)

    async def rename(self, source, target, replace=True):
        await super().rename(source, target, True if self.fault == "rename replaces" else replace)


FAULTS = {
    "create replaces": "test_of_two_simultaneous_creations_only_one_succeeds",
    "announced ignored": "test_an_upload_of_another_size_than_announced_is_refused",
    "abandon publishes": "test_an_abandoned_new_file_is_not_visible",
    "seen early": "test_a_new_file_is_visible_and_complete_after_the_commit",
    "odd errors": "test_a_file_can_be_removed",
    "rename replaces": "test_without_replace_nothing_is_replaced",
    "partials shared": "test_partial_uploads_are_not_shared",
}


def outcome(fault, name):
    """Run one test of the contract against a storage with a fault."""

    class Faulty(StorageContract, SynchronousTestCase):
        def storage(self):
            self.tree = MemoryTree()
            return Leaky(self.tree, "one", fault)

        def other_owner_storage(self):
            return Leaky(self.tree, "two", fault)

    result = unittest.TestResult()
    Faulty(name).run(result)
    return result


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found(fault):
    assert outcome("none", FAULTS[fault]).wasSuccessful()
    assert not outcome(fault, FAULTS[fault]).wasSuccessful()


def test_a_storage_that_never_answers_fails_where_nothing_waits():
    class Silent(StorageContract, SynchronousTestCase):
        def storage(self):
            return Deferred()

    result = unittest.TestResult()
    Silent("test_an_empty_directory_has_no_entries").run(result)
    assert not result.wasSuccessful()


def test_trials_own_test_case_is_given_the_deferred_to_wait_for():
    class Waiting(StorageContract, TestCase):
        def storage(self):
            return MemoryStorage()

    test = Waiting("test_an_empty_directory_has_no_entries")
    assert isinstance(test.test_an_empty_directory_has_no_entries(), Deferred)


def test_a_contract_without_a_storage_says_so():
    class Nothing(StorageContract, SynchronousTestCase):
        pass

    with pytest.raises(NotImplementedError):
        Nothing("test_an_empty_directory_has_no_entries").storage()
    assert issubclass(NoSpace, StorageError)
