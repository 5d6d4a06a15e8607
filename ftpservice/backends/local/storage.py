"""The ``local:`` storage: the files of one account below one directory."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace

from zope.interface import implementer

from ftpservice.backends.local.files.hashing import digest_of
from ftpservice.backends.local.files.lazy_upload import lazy_upload_for
from ftpservice.backends.local.files.reading import (
    LocalReading,
    open_reading,
    open_reading_if_cached,
)
from ftpservice.backends.local.files.transaction import LazyUploadWriter, open_writer
from ftpservice.backends.local.files.upload import AccountUploads
from ftpservice.backends.local.listing import LocalListing
from ftpservice.backends.local.local_partials import LocalPartials
from ftpservice.backends.local.local_trash import LocalTrash
from ftpservice.backends.local.metadata.access import access_at
from ftpservice.backends.local.metadata.stat import O_PATH, entry_of, names_are_known
from ftpservice.backends.local.metadata.symbolic_links import entry_itself
from ftpservice.backends.local.operations import (
    free_space,
    make_directory,
    remove_directory,
    remove_file,
    remove_unchanged,
    rename,
    set_mode,
    set_modified,
)
from ftpservice.backends.local.partial_search import (
    DirectoryPartials,
)
from ftpservice.backends.local.paths.tree import DirectoryTree
from ftpservice.backends.local.trash.trash_bin import TrashBin
from ftpservice.backends.local.trash.trash_order import TrashOrders
from ftpservice.backends.local.trash_search import OldestSearch
from ftpservice.backends.local.usage import UsageWalk, place_of
from ftpservice.concurrency.thread_pool import BlockingRunner
from ftpservice.storage.blocking_calls import in_pool
from ftpservice.storage.conditional_removal import IConditionalRemoval
from ftpservice.storage.errors import NotSupported
from ftpservice.storage.interfaces import (
    IAccess,
    IEnter,
    IFreeSpace,
    IHashes,
    ILinks,
    IListing,
    IPartials,
    IReading,
    ISetMode,
    ISetTimes,
    IStorage,
    IWithoutLinks,
    IWriting,
    WriteRequest,
)
from ftpservice.storage.interrupted_uploads import IInterruptedUploads
from ftpservice.storage.os_errors import translate
from ftpservice.storage.quota_interfaces import ITreeUsage, TreeUsage
from ftpservice.storage.trash import IKeepsTrash, ITrash, TrashRule
from ftpservice.wire.entry import Entry, Kind
from ftpservice.wire.paths import VirtualPath

__all__ = [
    "DEFAULT_PARTIAL_AGE_SECONDS",
    "LocalFiles",
    "LocalOptions",
    "LocalStorage",
    "entry_if_cached",
]


DEFAULT_PARTIAL_AGE_SECONDS = 7 * 86_400.0


@dataclass(frozen=True)
class LocalOptions:
    """What the storages of one source share: the pools, and how uploads are kept."""

    runner: BlockingRunner
    durable: bool = False
    commit_runner: BlockingRunner | None = None
    """A pool for publishing uploads, which hardly ever waits for anything; None: ``runner``."""
    partial_age: float = DEFAULT_PARTIAL_AGE_SECONDS
    """Seconds that partial uploads are kept."""
    lazy_uploads: set[object] = field(default_factory=set)
    """Uploads under way that have no partial yet."""
    trash: TrashRule | None = None
    """How long what is deleted and overwritten is kept."""
    trash_orders: TrashOrders = field(default_factory=lambda: TrashOrders(OldestSearch))
    """The oldest files of the trash of its accounts."""


@implementer(IStorage)
class LocalFiles:
    """The core of `LocalStorage`: ``owner``'s files in ``tree``.

    What the kernel can answer from memory is done at once, all else in one call of the pool.
    """

    def __init__(self, tree: DirectoryTree, owner: str, options: LocalOptions) -> None:
        runner = options.runner
        self._tree = tree
        self._owner = owner
        self._runner = runner
        self._options = options
        self._orders = options.trash_orders
        self._trash: TrashBin | None = None
        if options.trash is not None:
            self._trash = TrashBin(tree, owner, options.trash, options.durable, self._orders)
        self._uploads = AccountUploads(
            tree,
            owner,
            runner,
            options.commit_runner or runner,
            options.durable,
            options.lazy_uploads,
            self._trash,
        )

    async def stat(self, path: VirtualPath) -> Entry:
        """Return the entry of ``path``; for a link that leads nowhere that of the link."""
        entry = entry_if_cached(self._tree, path, O_PATH)
        if entry is not None:
            return entry
        return await in_pool(self._runner, path, _entry_at, self._tree, path)

    async def open_listing(self, path: VirtualPath) -> IListing:
        """Open a directory for reading."""
        return await in_pool(
            self._runner,
            path,
            LocalListing.open,
            self._runner,
            self._tree,
            path,
            dispose=LocalListing.close_in_thread,
        )

    async def make_directory(self, path: VirtualPath, mode: int = 0o755) -> None:
        """Create one directory."""
        await in_pool(self._runner, path, make_directory, self._tree, path, mode)

    async def remove_directory(self, path: VirtualPath) -> None:
        """Remove a directory that is empty except for partial uploads of this owner."""
        await in_pool(self._runner, path, remove_directory, self._tree, path, self._partials())

    def _partials(self) -> DirectoryPartials:
        options = self._options
        return DirectoryPartials(self._owner, options.partial_age, options.lazy_uploads)

    async def remove_file(self, path: VirtualPath) -> None:
        """Remove a file or link and the owner's partial upload of it, or only the latter."""
        await in_pool(self._runner, path, remove_file, self._tree, path, self._owner, self._trash)

    async def rename(self, source: VirtualPath, target: VirtualPath, replace: bool = True) -> None:
        """Rename in one step."""
        await in_pool(
            self._runner, source, rename, self._tree, source, target, replace, self._trash
        )

    async def open_reading(self, path: VirtualPath) -> IReading:
        """Open a plain file."""
        try:
            reading = open_reading_if_cached(self._runner, self._tree, path)
        except OSError as error:
            raise translate(error, path) from error
        return reading or await self._open_in_pool(path)

    async def _open_in_pool(self, path: VirtualPath) -> LocalReading:
        return await in_pool(
            self._runner,
            path,
            open_reading,
            self._runner,
            self._tree,
            path,
            dispose=LocalReading.close_in_thread,
        )

    def with_trash(self, rule: TrashRule) -> IStorage:
        """Return the same files for the same owner; what is deleted and overwritten is kept."""
        options = replace(self._options, trash=rule)
        storage: IStorage = type(self)(self._tree, self._owner, options)
        return storage

    async def open_writing(self, path: VirtualPath, request: WriteRequest) -> IWriting:
        """Begin an upload transaction. An ordinary one creates its partial at its first write."""
        try:
            lazy = lazy_upload_for(self._uploads, path, request)
        except OSError as error:
            raise translate(error, path) from error
        if lazy is not None:
            return LazyUploadWriter(self._uploads, lazy)
        return await open_writer(self._uploads, path, request)


def entry_if_cached(tree: DirectoryTree, path: VirtualPath, flags: int) -> Entry | None:
    """Return the entry of ``path`` if that needs neither disk nor directory service; else None."""
    try:
        opened = tree.open_if_cached(path, flags)
    except OSError:
        return None  # perhaps a link that leads nowhere, which `_entry_at` handles
    if opened is None:
        return None
    try:
        facts = os.fstat(opened)
        return entry_of(path.name, facts) if names_are_known(facts) else None
    finally:
        os.close(opened)


def _entry_at(tree: DirectoryTree, path: VirtualPath) -> Entry:
    """Return the entry of ``path``; for a link that leads nowhere that of the link."""
    try:
        opened = tree.open(path, O_PATH)
    except OSError:
        entry = entry_itself(tree, path)
        if entry.kind is not Kind.LINK:
            raise
        return entry
    try:
        return entry_of(path.name, os.fstat(opened))
    finally:
        os.close(opened)


@implementer(
    IAccess,
    IConditionalRemoval,
    IEnter,
    IHashes,
    IInterruptedUploads,
    ILinks,
    ISetTimes,
    ISetMode,
    IFreeSpace,
    IKeepsTrash,
    IPartials,
    ITrash,
    ITreeUsage,
    IWithoutLinks,
)
class LocalStorage(LocalFiles, LocalPartials, LocalTrash):
    """The whole storage: the core and the optional interfaces that a filesystem can offer."""

    creation = False

    async def hash(self, path: VirtualPath, algorithm: str, start: int, end: int | None) -> str:
        """Digest a file as it was when the call began; other calls get turns in between."""
        file = await self._open_in_pool(path)
        return await digest_of(self._runner, file, algorithm, start, end)

    async def enter(self, path: VirtualPath) -> None:
        """Return for a directory that the process may enter."""
        if not self._tree.can_enter_if_cached(path):
            await in_pool(self._runner, path, self._tree.enter, path)

    def without_links(self) -> IStorage:
        """Return the same files for the same owner; links are not followed."""
        return LocalStorage(self._tree.without_links(), self._owner, self._options)

    async def lstat(self, path: VirtualPath) -> Entry:
        """Return the entry of ``path``; a link is not followed."""
        entry = entry_if_cached(self._tree, path, O_PATH | os.O_NOFOLLOW)
        if entry is not None and entry.kind is not Kind.LINK:
            return entry
        return await in_pool(self._runner, path, entry_itself, self._tree, path)

    async def set_times(
        self, path: VirtualPath, modified: float | None = None, created: float | None = None
    ) -> None:
        """Set the modification time."""
        if created is not None:
            raise NotSupported(path, "no creation times")
        if modified is not None:
            await in_pool(self._runner, path, set_modified, self._tree, path, modified)

    async def set_mode(self, path: VirtualPath, mode: int) -> None:
        """Set the lower nine permission bits."""
        await in_pool(self._runner, path, set_mode, self._tree, path, mode)

    async def remove_unchanged(self, path: VirtualPath, entry: Entry) -> None:
        """Remove a file or an empty directory if it is still the one of ``entry``."""
        await in_pool(
            self._runner, path, remove_unchanged, self._tree, path, entry, self._partials()
        )

    async def free_space(self, path: VirtualPath) -> int:
        """Return the bytes that this process may still write to the filesystem."""
        return await in_pool(self._runner, path, free_space, self._tree, path)

    async def access(self, path: VirtualPath, follow: bool) -> int:
        """Return what this process may do with a file or directory."""
        return await in_pool(self._runner, path, access_at, self._tree, path, follow)

    @property
    def place(self) -> tuple[object, ...]:
        """Where the root is, for ledgers of quotas."""
        return place_of(self._tree)

    async def tree_usage(self, path: VirtualPath) -> TreeUsage:
        """Count what is below a directory; other calls get turns meanwhile."""
        walk = UsageWalk(self._tree, path)
        while await in_pool(self._runner, path, walk.turn):
            pass
        return walk.usage
