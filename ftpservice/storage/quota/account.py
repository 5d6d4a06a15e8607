"""What the changes of one session need: names, ledgers, and room for more."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from ftpservice.storage.errors import QuotaExceeded, StorageError
from ftpservice.storage.interfaces import IStorage
from ftpservice.storage.quota.account_trash import TRASH_PLACE, AccountTrash
from ftpservice.storage.quota.book import QuotaBook
from ftpservice.storage.quota.change import Change
from ftpservice.storage.quota.count import partial_size
from ftpservice.storage.quota.counted_tree import CountedTree, check_cluster
from ftpservice.storage.quota.ledgers.ledger import NO_LIMITS, Place, QuotaLimits
from ftpservice.storage.quota.ledgers.upload_charge import UploadCharge
from ftpservice.storage.trash import ITrash
from ftpservice.wire.entry import Entry, Kind
from ftpservice.wire.paths import VirtualPath

__all__ = ["QuotaAccount"]


@dataclass(frozen=True, eq=False)
class QuotaAccount:
    """``owner``'s ``storage``, whose root is at ``root``; ``tree`` is None without a quota."""

    storage: IStorage
    book: QuotaBook
    owner: str
    root: Place
    limits: QuotaLimits
    tree: CountedTree | None

    @classmethod
    def of(
        cls,
        storage: IStorage,
        book: QuotaBook,
        owner: str,
        root: Place,
        limits: QuotaLimits = NO_LIMITS,
    ) -> QuotaAccount:
        """Return an account with one storage; its ledger is made if it has limits."""
        tree = None if limits == NO_LIMITS else book.enter(root, storage)
        if tree is not None:
            book.set_limits(tree, owner, limits)
        return cls(storage, book, owner, root, limits, tree)

    @cached_property
    def trash(self) -> AccountTrash | None:
        """The trash, if what is deleted is kept."""
        trash: ITrash | None = ITrash(self.storage, None)
        return None if trash is None or trash.rule is None else self.account_trash(trash)

    def account_trash(self, trash: ITrash) -> AccountTrash:
        """Return a trash whose changes are charged to this account."""
        place = self.place(TRASH_PLACE)
        return AccountTrash(trash, self.book, place, self.tree, self.limits)

    def place(self, path: VirtualPath) -> Place:
        """Return the place of a path of this storage."""
        return self.root + path.parts

    def change(self, *paths: VirtualPath) -> Change:
        """Return a change of these names, to be entered."""
        return Change(self.book.changes, *map(self.place, paths))

    def add(self, path: VirtualPath, size: int, files: int, partials: int = 0) -> None:
        """Record that ``path`` takes up more, or less."""
        self.book.add(self.place(path), size, files, partials)

    def charge(self, path: VirtualPath) -> UploadCharge:
        """Begin to hold for an upload to ``path``."""
        return self.book.uploads.begin(self.owner, self.place(path), self.tree, self.limits)

    def settle(self, charge: UploadCharge, size: int = 0, files: int = 0) -> None:
        """End what `charge` began; within a change, so that no count comes in between."""
        self.book.uploads.settle(self.owner, charge, size, files)

    def crosses(self, source: VirtualPath, target: VirtualPath) -> bool:
        """Tell whether a rename leaves a tree that is counted, or enters one."""
        around = self.book.roots.around
        return around(self.place(source)) != around(self.place(target))

    def may_have_partials(self, path: VirtualPath) -> bool:
        """Tell whether partial uploads may be kept in the trees around ``path``."""
        around = self.book.roots.around(self.place(path))
        return any(tree.ledger.partials or not tree.counts.is_counted for tree in around)

    async def idle_partial(self, path: VirtualPath, own: UploadCharge | None = None) -> int:
        """Return the bytes that are kept of an interrupted upload of ``path``.

        0 while another upload to it than ``own`` is under way: its bytes are held, not settled.
        """
        if not self.may_have_partials(path):
            return 0
        if self.book.uploads.has(self.owner, self.place(path), own):
            return 0
        return await partial_size(self.storage, path)

    async def file_size(self, path: VirtualPath) -> int | None:
        """Return the bytes of the plain file that an upload to ``path`` replaces, if any."""
        try:
            entry: Entry = await self.storage.stat(path)
        except StorageError:
            return None
        return entry.size if entry.kind is Kind.FILE else None

    def doubt(self, path: VirtualPath) -> None:
        """Record that the sums of the trees around ``path`` may be wrong; they are counted."""
        for tree in self.book.roots.around(self.place(path)):
            tree.doubt()

    async def when_counted(self, path: VirtualPath) -> None:
        """Wait until the use is known; raises `Busy`."""
        if self.tree is not None:
            await self.tree.when_counted(path)

    async def find_room(self, path: VirtualPath, size: int = 0, files: int = 0) -> None:
        """Wait for room that may be found; raises `QuotaExceeded` if there is none, and `Busy`.

        A thread that writes for another upload may give back what it does not use, and other
        programs may have removed something. Then the oldest files of the trash go, as many as
        ``size`` bytes need, at least one. Not to be called within a change.
        """
        tree = self.tree
        assert tree is not None  # without a quota there is room
        check_cluster(tree, path)
        ledger = tree.ledger
        if ledger.has_turns:
            await ledger.turn_ended()
            return
        leases = tree.leases
        if leases is not None and await leases.obtain(tree, self.limits, size, files):
            return
        if not tree.is_recent:
            await tree.count()
            return
        found = ledger.left_between_turns(self.limits)
        if found is None:  # a turn has begun since the look above
            return
        left, files_left = found
        if (not size or left is None or left >= size) and (
            files_left is None or files_left >= files
        ):
            return  # another process has just given it back
        if leases is not None:
            leases.check(tree, path, self.limits, size, files)
        needed = 1 if left is None else max(1, size - left)
        if self.trash is None or not await self.trash.free(needed, 1):
            rest = {"bytes left": left, "files left": files_left}
            named = (f"{what}: {count}" for what, count in rest.items() if count is not None)
            raise QuotaExceeded(path, ", ".join(named))
