"""The storage contract with a gate for every path, over local storage and files in memory.

An append to a file is a new version of the whole file there. So a file that is removed or renamed
meanwhile does not get what was appended, and it may expire meanwhile.
"""

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ftpservice.backends.gates.gated_storage import GatedStorage
from ftpservice.backends.local.source import LocalSource
from ftpservice.backends.memory.storage import MemoryStorage
from ftpservice.backends.memory.tree import MemoryTree
from ftpservice.concurrency.thread_pool import InlineRunner
from ftpservice.storage.errors import PathNotFound
from ftpservice.storage.interfaces import WriteMode, WriteRequest
from ftpservice.testing.contract.case import (
    assert_raises,
    begin_upload,
    contract_test,
    create_file,
    path_at,
    read_file,
)
from ftpservice.testing.storage_contract import StorageContract
from ftpservice.wire.paths import ROOT
from tests.backends.gates.gate_doubles import ScriptedGate, gates_of, rule
from tests.scenarios.storage import test_local_contract


def gated(inner):
    return GatedStorage(inner, gates_of(rule(ScriptedGate())))


class GatedContract(StorageContract):
    """What an append does instead."""

    test_a_file_that_is_appended_to_stays = None

    @contract_test
    async def test_an_append_to_a_file_renamed_meanwhile_succeeds(self, storage) -> None:
        """It fails, and the file is as it was."""
        await create_file(storage, "/file", b"old")
        writing = await begin_upload(storage, "/file", b"new", WriteRequest(WriteMode.APPEND))
        await storage.rename(path_at("/file"), path_at("/renamed"))
        await assert_raises(writing.commit(), PathNotFound)
        assert await read_file(storage, "/renamed") == b"old"


class GatedMemoryTests(GatedContract, SynchronousTestCase):
    def storage(self):
        self.tree = MemoryTree()
        return gated(MemoryStorage(self.tree, "one"))

    def other_owner_storage(self):
        return gated(MemoryStorage(self.tree, "two"))


class GatedLocalTests(GatedContract, SynchronousTestCase):
    folder = test_local_contract.LocalContract.folder
    make_link = test_local_contract.LocalContract.make_link

    def storage(self):
        self.path = self.folder()
        self.source = LocalSource(self.path, Clock(), InlineRunner())
        self.before = test_local_contract.open_descriptors()
        return self.view("one")

    def other_owner_storage(self):
        return self.view("two")

    async def view(self, owner):
        return gated(await self.source.storage(owner, ROOT))

    def check_all_closed(self) -> Deferred[None] | None:
        """One descriptor is the root of the test's storage."""
        assert test_local_contract.open_descriptors() <= self.before + 1
        return None
