"""Local storage for tests: a source without threads."""

import gc
import os
from contextlib import suppress

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from ftpservice.backends.local.files import transaction
from ftpservice.backends.local.paths.tree import DirectoryTree
from ftpservice.backends.local.source import LocalSource
from ftpservice.concurrency.thread_pool import InlineRunner
from ftpservice.wire.paths import ROOT


def run(awaitable):
    """Return the result of an awaitable that finishes at once."""
    results = []

    async def begun():
        return await awaitable

    Deferred.fromCoroutine(begun()).addBoth(results.append)
    [result] = results
    if isinstance(result, Failure):
        result.raiseException()
    return result


def open_descriptors():
    """Count open descriptors after a garbage collection."""
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


class Bench:
    """A local storage of ``root`` that works in the calling thread; ``outside`` is beside it."""

    def __init__(self, folder, **settings):
        self.folder = folder
        self.root = folder / "root"
        self.outside = folder / "outside"
        self.root.mkdir()
        self.outside.mkdir()
        self.clock = Clock()
        self.pool = InlineRunner()
        self.source = LocalSource(str(self.root), self.clock, self.pool, **settings)
        self.storage = self.owned_by("one")

    def owned_by(self, owner, top=ROOT):
        return run(self.source.storage(owner, top))

    def let_all_go(self):
        """Run all calls that wait in the pool."""
        self.pool.held = False
        self.pool.release()

    def open_descriptors(self):
        """Return the open descriptors below ``folder``, without the root of the first storage."""
        gc.collect()
        found = []
        for number in os.listdir("/proc/self/fd"):
            with suppress(FileNotFoundError):
                found.append(os.readlink(f"/proc/self/fd/{number}"))
        here = [path for path in found if path.startswith(f"{self.folder}/")]
        here.remove(os.readlink(f"/proc/self/fd/{self.storage._tree.root}"))
        return here

    def hidden(self):
        """Return the names of all partial uploads."""
        return sorted(path.name for path in self.root.rglob(".ftpservice.*"))


@pytest.fixture(autouse=True)
def everything_in_the_pool(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Send all calls to the pool, except in tests marked ``AT_ONCE``."""
    if not getattr(request.module, "AT_ONCE", getattr(request.cls, "at_once", False)):
        monkeypatch.setattr(DirectoryTree, "open_if_cached", lambda _tree, _path, _flags: None)
        monkeypatch.setattr(DirectoryTree, "parent_if_cached", lambda _tree, _path, _name: None)
        monkeypatch.setattr(transaction, "MAX_PENDING_BYTES", 0)
