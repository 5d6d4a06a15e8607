"""The example storage keeps the contract: without threads, and as it is served."""

# ruff: noqa: D102 (the hooks are those of StorageContract)

import os
import shutil
import tempfile

from sqlite_storage.source import SqliteSource
from twisted.internet import reactor
from twisted.trial.unittest import SynchronousTestCase, TestCase

from ftpservice.storage import ROOT
from ftpservice.testing import InlineRunner, StorageContract


class SqliteContract(StorageContract):
    """What both ways have in common."""

    def new_source(self, capacity=None):
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        return SqliteSource(os.path.join(folder, "files.db"), reactor, capacity, self.pool())

    def storage(self):
        self.source = self.new_source()
        return self.source.storage("one", ROOT)

    def other_owner_storage(self):
        return self.source.storage("two", ROOT)


class InlineTests(SqliteContract, SynchronousTestCase):
    """Every call is carried out at once: quick, and failures are easy to follow."""

    def pool(self):
        return InlineRunner()

    def small_storage(self, capacity):
        return self.new_source(100 * capacity).storage("one", ROOT)


class ThreadTests(SqliteContract, TestCase):
    """With the real pool, under trial's reactor."""

    def pool(self):
        return None

    def check_all_closed(self):
        return self.source.stop()
