"""The storage contract with local storage through the wrapper for quotas; the sums stay right."""

from unittest import TestCase

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ftpservice.storage.quota.account import QuotaAccount
from ftpservice.storage.quota.book import QuotaBook
from ftpservice.storage.quota.ledgers.ledger import QuotaLimits
from ftpservice.storage.quota.metered_storage import MeteredStorage
from ftpservice.storage.quota_interfaces import ITreeUsage
from ftpservice.wire.paths import ROOT
from tests.scenarios.storage import test_local_contract as contract

PLENTY = QuotaLimits(1 << 40, 1 << 20)


class Metered(contract.LocalContract):
    """Wraps the storages of a variant, and compares ledger and disk after each test."""

    async def storage(self):
        self.book = QuotaBook(Clock())
        self.inner = await super().storage()
        return self.metered(self.inner, "one")

    async def other_owner_storage(self):
        return self.metered(await super().other_owner_storage(), "two")

    async def make_link(self, name, target):
        super().make_link(name, target)
        [ledger] = self.book.trees.values()
        await ledger.count()  # it was made outside of the service
        return True

    def metered(self, storage, owner):
        return MeteredStorage(
            QuotaAccount.of(storage, self.book, owner, ITreeUsage(storage).place, PLENTY)
        )

    async def check_all_closed(self):
        [tree] = self.book.trees.values()
        await tree.when_counted(ROOT)
        while tree.counts.is_counting:  # after two uploads to one name
            await tree.event()
        found, ledger = await ITreeUsage(self.inner).tree_usage(ROOT), tree.ledger
        assert (ledger.size, ledger.files) == (found.size, found.files)
        assert (tree.counts.changes, ledger.credit_size, ledger.credit_files) == (0, 0, 0)
        assert (ledger.held_size, ledger.held_files) == (0, 0)


class MeteredInlineTests(Metered, contract.InlineTests, SynchronousTestCase):
    pass


class MeteredAtOnceTests(Metered, contract.AtOnceTests, SynchronousTestCase):
    at_once = True


class MeteredThreadTests(Metered, contract.ThreadTests, TestCase):
    pass


del contract
