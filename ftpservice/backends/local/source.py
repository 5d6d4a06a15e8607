"""``local:/srv/ftp`` — the storage source for a directory of this machine."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import cast
from weakref import WeakValueDictionary

from twisted.internet.interfaces import IReactorFromThreads, IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from ftpservice.backends.local.files.removal import put_back
from ftpservice.backends.local.mount_pools import MountedDirectory, MountPools
from ftpservice.backends.local.operations import make_directory
from ftpservice.backends.local.partial_search import PartialWalk
from ftpservice.backends.local.partials.sweeper import PartialSweep, PeriodicSweep
from ftpservice.backends.local.paths.kernel_mounts import KernelMounts
from ftpservice.backends.local.paths.names import components
from ftpservice.backends.local.paths.path_walk import DIRECTORY_FLAGS
from ftpservice.backends.local.paths.tree import DirectoryTree, real_path_of
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

_mounts = KernelMounts()


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
        self._root_name = os.fsencode(os.path.realpath(self._root))
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
        self.mount_pools = MountPools(reactor, _mounts) if pool is None else None
        """The threads for filesystems that may stop answering."""
        self._seen_mounts: object = None
        self._has_mounts = False
        """Whether the root is on such a filesystem, or has one below."""
        self._partial_age = partial_age
        self._trees: WeakValueDictionary[tuple[int, int], DirectoryTree] = WeakValueDictionary()
        self._periodic_sweep = PeriodicSweep(
            reactor, min(SWEEP_INTERVAL_SECONDS, partial_age), self.sweep
        )

    async def storage(self, owner: str, top: VirtualPath) -> IStorage:
        """Return ``owner``'s storage, confined to ``top``, which is created if missing."""
        if _mounts.changes.poll(0) or self._seen_mounts is not _mounts.hanging:
            self._look_at_mounts()
        mounted = self._mounted(top) if self._has_mounts else None
        tree = self._tree_if_cached(top) if mounted is None else None
        if tree is not None:
            return LocalStorage(tree, owner, self._options)
        runner = self._runner if mounted is None else mounted.pool
        tree = await in_pool(runner, top, self._tree, top)
        if self.mount_pools is not None:  # a link may have led elsewhere
            mounted = self.mount_pools.pool_for(real_path_of(tree))
        if mounted is None:
            return LocalStorage(tree, owner, self._options)
        tree.may_hang = mounted.may_hang
        options = replace(self._options, runner=mounted.pool, commit_runner=None)
        return LocalStorage(tree, owner, options)

    def _look_at_mounts(self) -> None:
        """Look whether the root is, or has, a filesystem that may stop answering."""
        _mounts.read()
        self._seen_mounts = _mounts.hanging
        self._has_mounts = self._mounted(ROOT) is not None

    def _mounted(self, top: VirtualPath) -> MountedDirectory | None:
        """Return how calls are made for a directory of such a filesystem; None for others."""
        if self.mount_pools is None:
            return None
        return self.mount_pools.pool_for(os.path.join(self._root_name, *components(top)))

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
        self._look_at_mounts()
        mounted = self._mounted(ROOT)
        runner = self._runner if mounted is None else mounted.pool
        tree = await in_pool(runner, ROOT, DirectoryTree.at, self._root)
        sweep = PartialSweep(self._partial_age)
        walk = PartialWalk(tree, sweep.visit, _put_back)
        while await in_pool(runner, ROOT, walk.turn):
            pass
        await self._sweep_trash(runner, tree, walk.homes)
        return sweep.removed

    async def _sweep_trash(
        self, runner: BlockingRunner, tree: DirectoryTree, homes: Sequence[VirtualPath]
    ) -> None:
        removed = 0
        for home in homes:
            walk = ExpiredTrash(tree, home)
            while await in_pool(runner, home, walk.turn):
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
        if self.mount_pools is not None:
            await self.mount_pools.stop()

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
