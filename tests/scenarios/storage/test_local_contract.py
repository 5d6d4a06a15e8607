"""The storage contract with local storage: inline, in threads, and on an old kernel."""

import errno
import os
import shutil
import subprocess
import tempfile
from unittest import TestCase, mock

import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ftpservice.backends.local.paths import file_ops
from ftpservice.backends.local.paths import tree as descent
from ftpservice.backends.local.source import LocalSource
from ftpservice.concurrency.thread_pool import BlockingPool, InlineRunner
from ftpservice.storage.trash import IKeepsTrash, TrashRule
from ftpservice.testing.storage_contract import StorageContract
from ftpservice.wire.paths import ROOT
from tests.support.run_watcher import unmount_with_run


def open_descriptors():
    return len(os.listdir("/proc/self/fd"))


class LocalContract(StorageContract):
    """The common part of the variants."""

    before = 0

    def folder(self):
        made = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, made)
        return made

    def other_owner_storage(self):
        return self.source.storage("two", ROOT)

    def make_link(self, name, target):
        os.symlink(target, os.path.join(self.path, name))
        return True

    def small_storage(self, capacity):
        folder = self.folder()
        mounting = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", folder]
        unmount_with_run(folder)
        if os.geteuid() or subprocess.run(mounting, capture_output=True).returncode:
            return None
        self.addCleanup(subprocess.run, ["umount", "--lazy", folder], check=True)
        source = LocalSource(folder, self.clock, self.pool)
        self.before += 1  # its tree's, which a frame may hold to the end of the test
        return source.storage("one", ROOT)


class InlineTests(LocalContract, SynchronousTestCase):
    durable = False

    def storage(self):
        self.clock, self.pool = Clock(), InlineRunner()
        self.path = self.folder()
        self.source = LocalSource(self.path, self.clock, self.pool, self.durable)
        self.before = open_descriptors()
        return self.source.storage("one", ROOT)

    def check_all_closed(self):
        """One descriptor is the root of the test's storage."""
        assert open_descriptors() <= self.before + 1


class TrashTests(InlineTests):
    """What is deleted is kept, and makes no other difference."""

    async def storage(self):
        return IKeepsTrash(await super().storage()).with_trash(TrashRule(3600))

    async def other_owner_storage(self):
        return IKeepsTrash(await super().other_owner_storage()).with_trash(TrashRule(3600))


class DurableTests(InlineTests):
    durable = True


class AtOnceTests(InlineTests):
    """Cached files are read without the pool, and a small upload is one call."""

    at_once = True


class OldKernelTests(InlineTests):
    """Without ``openat2`` and ``renameat2``, paths are opened component by component."""

    def setUp(self):
        for module, name in ((descent, "open_beneath"), (file_ops, "_renameat2")):
            patch = mock.patch.object(module, name, self.absent)
            patch.start()
            self.addCleanup(patch.stop)

    @staticmethod
    def absent(*args):
        raise OSError(errno.ENOSYS, "no such call")


class ThreadTests(LocalContract, TestCase):
    def finish(self, test):
        return pytest_twisted.blockon(test)

    def storage(self):
        self.clock = reactor
        self.pool = BlockingPool(reactor, threads=3)
        self.path = self.folder()
        self.source = LocalSource(self.path, reactor, self.pool)
        self.addCleanup(self.end)
        return self.source.storage("one", ROOT)

    async def stopped(self):
        await self.source.stop()
        await self.pool.stop()

    def end(self):
        pytest_twisted.blockon(Deferred.fromCoroutine(self.stopped()))
