"""Accounts with a quota: what is charged, and what is refused."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ftpservice.backends.memory.storage import MemoryStorage
from ftpservice.backends.memory.tree import MemoryTree
from ftpservice.storage.quota.book import QuotaBook
from ftpservice.storage.quota.ledger import QuotaLimits
from ftpservice.storage.quota.metered_storage import MeteredStorage
from ftpservice.storage.quota_interfaces import ITreeUsage
from ftpservice.testing.storage_contract import StorageContract
from ftpservice.wire.paths import ROOT

PLENTY = QuotaLimits(1 << 40, 1 << 20)


def metered(book, storage, owner, limits=PLENTY):
    return MeteredStorage(storage, book, owner, ITreeUsage(storage).place, limits)


class MemoryContractTests(StorageContract, SynchronousTestCase):
    """The contract holds through the wrapper, and the sums are right after every test."""

    def storage(self):
        self.tree, self.book = MemoryTree(), QuotaBook(Clock())
        self.inner = MemoryStorage(self.tree, "one")
        return metered(self.book, self.inner, "one")

    def other_owner_storage(self):
        return metered(self.book, MemoryStorage(self.tree, "two"), "two")

    async def check_all_closed(self):
        [ledger] = self.book.trees.values()
        found = await ITreeUsage(self.inner).tree_usage(ROOT)
        self.assertEqual((ledger.size, ledger.files), (found.size, found.files))
        self.assertEqual((ledger.changes, ledger.credit_size, ledger.credit_files), (0, 0, 0))
        self.assertEqual((ledger.held_size, ledger.held_files), (0, 0))
