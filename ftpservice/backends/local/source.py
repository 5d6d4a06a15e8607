"""``local:/srv/ftp`` — the storage source for a directory of this machine."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from typing import cast
from weakref import WeakValueDictionary

from twisted.internet.interfaces import IReactorFromThreads, IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from ftpservice.backends.local.files.removal import put_back
from ftpservice.backends.local.operations import make_directory
from ftpservice.backends.local.partial_search import PartialWalk
from ftpservice.backends.local.partials.sweeper import PartialSweep, PeriodicSweep
from ftpservice.backends.local.paths.path_walk import DIRECTORY_FLAGS
from ftpservice.backends.local.paths.tree import DirectoryTree
from ftpservice.backends.local.storage import (
    DEFAULT_PARTIAL_AGE_SECONDS,
    LocalOptions,
    LocalStorage,
)
from ftpservice.backends.local.trash_search import ExpiredTrash
from ftpservice.concurrency.overflow_pool import OverflowPool
from ftpservice.concurrency.thread_pool import BlockingPool, BlockingRunner
from ftpservice.storage.blocking_calls import in_pool
from ftpservice.storage.errors import Exists
from ftpservice.storage.interfaces import IStorage
from ftpservice.storage.source_strings import IPathNamedSource
from ftpservice.wire.paths import ROOT, VirtualPath
from ftpservice.wire.units import count_text, seconds_text

__all__ = ["LocalSource", "LocalStorage"]

log = Logger("ftpservice")

SWEEP_INTERVAL_SECONDS = 3600.0


@implementer(IPathNamedSource)
class LocalSource:
    """Serves the directory ``root``; raises `ValueError` or `OSError` with a one-line reason.

    ``pool``: by default the source has its own pools, which `stop` ends; it does not end this one.
    ``durable``: an upload is confirmed only when it would survive a power cut.
    ``partial_age``: seconds that partial uploads are kept.
    No thread is started before the reactor runs.
    """

    def __init__(
        self,
        root: str,
        reactor: IReactorTime,
        pool: BlockingRunner | None = None,
        durable: bool = False,
        partial_age: float = DEFAULT_PARTIAL_AGE_SECONDS,
    ) -> None:
        self._root = _checked_root(root)
        if partial_age <= 0:
            raise ValueError(f"partial-age must be longer than {seconds_text(partial_age)}")
        self._own_pool = (
            BlockingPool(IReactorFromThreads(reactor), "local storage") if pool is None else None
        )
        self._runner = cast(BlockingRunner, pool or self._own_pool)
        self._overflow_pool = (
            OverflowPool(reactor, self._own_pool) if self._own_pool is not None else None
        )
        # A durable commit waits for the disk, so it belongs in the pool with more threads.
        commit_runner = None if durable else self._overflow_pool
        self._options = LocalOptions(self._runner, durable, commit_runner, partial_age)
        self._partial_age = partial_age
        self._trees: WeakValueDictionary[tuple[int, int], DirectoryTree] = WeakValueDictionary()
        self._periodic_sweep = PeriodicSweep(
            reactor, min(SWEEP_INTERVAL_SECONDS, partial_age), self.sweep
        )

    async def storage(self, owner: str, top: VirtualPath) -> IStorage:
        """Return ``owner``'s storage, confined to ``top``, which is created if missing."""
        tree = self._tree_if_cached(top)
        if tree is None:
            tree = await in_pool(self._runner, top, self._tree, top)
        return LocalStorage(tree, owner, self._options)

    def describe(self) -> str:
        """Return the storage string."""
        return f"local:{self._root}"

    def storage_name(self, path: VirtualPath) -> str:
        """Return the path of a file on the disk."""
        return os.path.join(self._root, *path.parts)

    async def sweep(self) -> int:
        """Remove expired partial uploads and return how many; called every hour by itself.

        Also what has expired in the trash of any account. Files that a killed process has set aside
        to remove them get their names back.
        """
        tree = await in_pool(self._runner, ROOT, DirectoryTree.at, self._root)
        sweep = PartialSweep(self._partial_age)
        walk = PartialWalk(tree, sweep.visit, _put_back)
        while await in_pool(self._runner, ROOT, walk.turn):
            pass
        await self._sweep_trash(tree, walk.homes)
        return sweep.removed

    async def _sweep_trash(self, tree: DirectoryTree, homes: Sequence[VirtualPath]) -> None:
        removed = 0
        for home in homes:
            walk = ExpiredTrash(tree, home)
            while await in_pool(self._runner, home, walk.turn):
                pass
            removed += walk.removed
        if removed:
            log.info(
                "removed {removed} from the trash", removed=count_text(removed, "expired file")
            )

    async def stop(self) -> None:
        """End sweeping and the source's own pool."""
        self._periodic_sweep.stop()
        if self._own_pool is not None and self._overflow_pool is not None:
            await self._overflow_pool.stop()
            await self._own_pool.stop()

    def _tree_if_cached(self, top: VirtualPath) -> DirectoryTree | None:
        """Return the tree at ``top`` if that needs no disk; else None."""
        try:
            whole = DirectoryTree.at_if_cached(self._root)
            if whole is not None and not top.parts:
                return self._shared(whole)
            opened = whole.open_if_cached(top, DIRECTORY_FLAGS) if whole is not None else None
        except OSError:
            return None
        if whole is None or opened is None:
            return None
        return self._shared(whole.subtree(opened, top))

    def _tree(self, top: VirtualPath) -> DirectoryTree:
        """Return the tree at ``top``, which is created if missing."""
        return self._shared(_created_tree(DirectoryTree.at(self._root), top))

    def _shared(self, tree: DirectoryTree) -> DirectoryTree:
        """Return one tree for all storages that have the directory open."""
        facts = os.fstat(tree.root)
        return self._trees.setdefault((facts.st_dev, facts.st_ino), tree)


def _put_back(directory: int, path: VirtualPath, aside: bytes) -> None:
    """Give a file its name back, unless it is being removed."""
    try:
        if put_back(directory, aside):
            log.warn("a removal in {path} was interrupted: the file is back", path=str(path))
    except OSError as error:
        log.error("{path}: a file was not put back: {error}", path=str(path), error=error)


def _created_tree(whole: DirectoryTree, top: VirtualPath) -> DirectoryTree:
    """Return the tree at ``top``, which is created if missing."""
    try:
        return whole.below(top)
    except FileNotFoundError:
        for depth in range(1, len(top.parts) + 1):
            with suppress(Exists, FileExistsError):
                make_directory(whole, VirtualPath(top.parts[:depth]), 0o755)
        return whole.below(top)


def _checked_root(root: str) -> str:
    """Return the full path of a directory that can be served; the errors are for operators."""
    if not root:
        raise ValueError("local: needs a directory, for example local:/srv/ftp")
    path = os.path.abspath(root)
    if not os.path.exists(path):
        raise FileNotFoundError(f"{path}: no such directory; create it or give another one")
    if not os.path.isdir(path):
        raise NotADirectoryError(f"{path}: not a directory")
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK, effective_ids=True):
        raise PermissionError(
            f"{path}: not writable for this process; change its owner or mode, or give another one"
        )
    return path
