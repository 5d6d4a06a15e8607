"""The storage contract through mounts: below a mount point, and at a root with mounts beside."""

from unittest import TestCase

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ftpservice.backends.memory.storage import MemoryStorage
from ftpservice.backends.memory.tree import MemoryTree
from ftpservice.storage.interfaces import IStorage
from ftpservice.storage.quota.account import QuotaAccount
from ftpservice.storage.quota.account_tree import AccountTree
from ftpservice.storage.quota.book import QuotaBook
from ftpservice.storage.quota.ledgers.ledger import QuotaLimits
from ftpservice.storage.quota.metered_storage import MeteredStorage
from ftpservice.storage.quota_interfaces import ITreeUsage
from ftpservice.testing.contract.case import result_of
from ftpservice.testing.storage_contract import StorageContract
from ftpservice.wire.paths import ROOT, VirtualPath
from tests.scenarios.storage import test_local_contract as contract
from tests.support.mounts import mounted, part
from tests.support.subtree import Subtree

PLENTY = QuotaLimits(1 << 40, 1 << 20)


class Mounted:
    """Wraps the storages of a variant: each becomes part of a tree with several storages."""

    async def storage(self):
        return await self.seen(super().storage())

    async def other_owner_storage(self):
        return await self.seen(super().other_owner_storage())

    async def small_storage(self, capacity):
        small = super().small_storage(capacity)
        return None if small is None else await self.seen(small)


class Below(Mounted):
    """The storage is mounted in another one, which is mounted too."""

    async def seen(self, storage):
        here = part("/mounts/here", await result_of(storage))
        tree = mounted(Clock(), part("/", Bare()), part("/mounts", Bare()), here)
        for one in tree._table.parts:
            await one.storage()
        return Subtree(tree, VirtualPath.parse("/mounts/here"))


class Root(Mounted):
    """The storage is the root, and others are mounted in it."""

    async def seen(self, storage):
        root, beside = part("/", await result_of(storage)), part("/besides/mount", Bare())
        tree = mounted(Clock(), root, beside, part("/elsewhere", Bare()))
        for one in tree._table.parts:
            await one.storage()
        return Subtree(tree, ROOT, frozenset({"besides", "elsewhere"}))


class Bare(MemoryStorage):
    """A storage without optional interfaces."""

    def __conform__(self, interface):
        return None


class Memory(StorageContract):
    def storage(self):
        self.tree = MemoryTree()
        return MemoryStorage(self.tree, "one")

    def other_owner_storage(self):
        return MemoryStorage(self.tree, "two")

    def small_storage(self, capacity):
        return MemoryStorage(MemoryTree(capacity))


class MemoryBelowTests(Below, Memory, SynchronousTestCase):
    keeps_notes = False


class MemoryAsRootTests(Root, Memory, SynchronousTestCase):
    keeps_notes = False


class LocalBelowTests(Below, contract.InlineTests, SynchronousTestCase):
    pass


class LocalAsRootTests(Root, contract.InlineTests, SynchronousTestCase):
    pass


class LocalInThreadsTests(Below, contract.ThreadTests, TestCase):
    pass


class MeteredBelowTests(Below, contract.InlineTests, SynchronousTestCase):
    """The mount is charged to the quota of the account, and the sums stay right."""

    async def storage(self):
        self.book = QuotaBook(Clock())
        return await super().storage()

    async def seen(self, storage):
        inner: IStorage = await result_of(storage)

        async def opens():
            return inner, ITreeUsage(inner).place

        whole = AccountTree(self.book, ("account", "one"), [opens])
        self.whole, self.inner = whole, inner
        place = ITreeUsage(inner).place
        whole.use(0, place)
        account = QuotaAccount(inner, self.book, "one", place, PLENTY, whole.tree)
        return await super().seen(MeteredStorage(account))

    def other_owner_storage(self):
        return None

    def small_storage(self, capacity):
        return None

    async def make_link(self, name, target):
        super().make_link(name, target)
        await self.whole.tree.count()  # it was made outside of the service
        return True

    async def check_all_closed(self):
        tree = self.whole.tree
        await tree.when_counted(ROOT)
        while tree.counts.is_counting:
            await tree.event()
        found, ledger = await ITreeUsage(self.inner).tree_usage(ROOT), tree.ledger
        assert (ledger.size, ledger.files) == (found.size, found.files)
        assert (ledger.held_size, ledger.held_files, tree.counts.changes) == (0, 0, 0)


del contract
