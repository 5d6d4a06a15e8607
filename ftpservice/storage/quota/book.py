"""The ledgers of a service: which trees are counted, and what is in progress in them.

- A ledger begins with a count of its tree, at the first login of an account with a quota there.
  Nothing is kept on the disk, so a killed process leaves no wrong number behind: the next one
  counts again. Uploads wait for the count, at most `COUNT_TIMEOUT_SECONDS`.
- A tree is counted again every ``recount_interval`` seconds while a session uses it; at a login
  after a time without one; and before an upload is refused, if the last count is not recent. So
  what other programs add is seen within the interval, and what they remove when it matters.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ftpservice.concurrency.task import Task
from ftpservice.storage.interfaces import IStorage
from ftpservice.storage.quota.counted_tree import CountedTree
from ftpservice.storage.quota.ledger import NO_LIMITS, ILedger, Place, QuotaLimits
from ftpservice.storage.quota.ledger_roots import LedgerRoots
from ftpservice.storage.quota.path_locks import PathLocks
from ftpservice.storage.quota.upload_charge import UploadCharge

__all__ = ["DEFAULT_RECOUNT_SECONDS", "Change", "QuotaBook"]

DEFAULT_RECOUNT_SECONDS = 3600.0


class QuotaBook:
    """All ledgers, by the place of their tree.

    ``recount_interval`` is in seconds; 0 for no counts at intervals.
    """

    def __init__(
        self, clock: IReactorTime, recount_interval: float = DEFAULT_RECOUNT_SECONDS
    ) -> None:
        self.trees: dict[Place, CountedTree] = {}
        """By the place of the tree, or by what identifies an account with several."""
        self.roots = LedgerRoots()
        self.locks = PathLocks()
        self.changes: set[Change] = set()
        """The changes in progress."""
        self.recount_interval = recount_interval
        self.clock = clock
        self._charges: dict[tuple[str, Place], list[UploadCharge]] = {}
        self._timer: IDelayedCall | None = None
        self._round: Task[None] | None = None

    def enter(self, place: Place, storage: IStorage) -> CountedTree:
        """Return the ledger of the tree at ``place``, whose root a session's storage has."""
        tree = self._tree(place)
        self.add_tree(tree, place)
        tree.enter(storage)
        return tree

    def enter_account(self, key: Place, storages: IStorage) -> CountedTree:
        """Return the ledger of an account whose files are in several trees, added by `add_tree`.

        ``storages`` counts all of them (`ITreeUsage`).
        """
        tree = self._tree(key)
        tree.enter(storages)
        return tree

    def add_tree(self, tree: CountedTree, place: Place) -> bool:
        """Charge what is below ``place`` to a ledger, too; False if it was charged already."""
        if not self.roots.add(tree, place):
            return False
        for change in self.changes:
            change.join(tree, place)
        for charge in (one for charges in self._charges.values() for one in charges):
            is_below = len(charge.place) > len(place) and charge.place[: len(place)] == place
            if is_below and tree.ledger not in charge.ledgers:
                charge.move(charge.place, [*charge.ledgers, tree.ledger])
        return True

    def _tree(self, key: Place) -> CountedTree:
        tree = self.trees.get(key)
        if tree is None:
            self.trees[key] = tree = CountedTree(key, self.clock)
            self._schedule()
        return tree

    def add(self, place: Place, size: int, files: int, partials: int = 0) -> None:
        """Record that what has the name at ``place`` takes up more, or less."""
        for tree in self.roots.around(place):
            tree.ledger.add(size, files, partials)

    def charge(
        self,
        owner: str,
        place: Place,
        own: CountedTree | None = None,
        limits: QuotaLimits = NO_LIMITS,
    ) -> UploadCharge:
        """Begin to hold for an upload of ``owner``, whose limits hold for the ledger ``own``."""
        ledger = None if own is None else own.ledger
        charge = UploadCharge(place, self._ledgers(place, ledger), limits)
        charge.own = ledger
        self._charges.setdefault((owner, place), []).append(charge)
        return charge

    def _ledgers(self, place: Place, own: ILedger | None) -> list[ILedger]:
        """Return the ledgers around a place, ``own`` first."""
        around = [tree.ledger for tree in self.roots.around(place)]
        return sorted(around, key=lambda ledger: ledger is not own)

    def settle(self, owner: str, charge: UploadCharge, size: int, files: int) -> None:
        """End what `charge` began; ``size`` bytes in ``files`` files remain."""
        charge.settle(size, files)
        charges = self._charges.get((owner, charge.place), [])
        if charge in charges:
            charges.remove(charge)
            if not charges:
                del self._charges[owner, charge.place]

    def has_upload(self, owner: str, place: Place, besides: UploadCharge | None = None) -> bool:
        """Tell whether an upload of ``owner`` to the name at ``place`` is under way."""
        charges = self._charges.get((owner, place), ())
        return any(one is not besides and one.has_partial for one in charges)

    def move_uploads(self, source: Place, target: Place) -> None:
        """Charge uploads at their new place, after a rename of a directory around them."""
        depth = len(source)
        for owner, place in [key for key in self._charges if key[1][:depth] == source]:
            now, charges = target + place[depth:], self._charges.pop((owner, place))
            # An upload to the name itself keeps that name; an append follows the file.
            staying = [one for one in charges if place == source and not one.is_in_place]
            if staying:
                self._charges[owner, place] = staying
            for charge in (one for one in charges if one not in staying):
                around = self._ledgers(now, charge.own)
                charge.move(now, around, charge.own not in around)
                self._charges.setdefault((owner, now), []).append(charge)

    def stop(self) -> None:
        """Count no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._round is not None:
            self._round.cancel()

    def _schedule(self) -> None:
        if self._timer is None and self._round is None and self.trees:
            interval = self.recount_interval or DEFAULT_RECOUNT_SECONDS
            self._timer = self.clock.callLater(interval, self._begin_round)

    def _begin_round(self) -> None:
        self._timer = None
        self._round = task = Task(self._recount())
        task.done.addErrback(lambda _cancelled: None)

    async def _recount(self) -> None:
        """Forget the ledgers that nothing uses, and count the trees of the others, one by one."""
        for key in [key for key, tree in self.trees.items() if tree.is_idle]:
            self.roots.forget(self.trees.pop(key))
        used = [tree for tree in self.trees.values() if self.recount_interval and tree.storages]
        try:
            for tree in used:
                tree.begin_count()
                while tree.counts.is_counting:  # a failure is logged
                    await tree.event()
        finally:
            self._round = None
        self._schedule()


class Change:
    """A change of names, in progress while this is entered (``async with``).

    It excludes other changes of the same names, and counts of the trees that contain them. Changes
    must not be nested, and no count may be waited for in one.
    """

    def __init__(self, book: QuotaBook, *places: Place) -> None:
        self._book = book
        self._places = sorted(set(places), key=lambda place: place[1:])
        self._trees: list[CountedTree] = []

    def join(self, tree: CountedTree, root: Place) -> None:
        """Take part in a ledger that counts, since now, what is below ``root``."""
        depth = len(root)
        is_below = any(len(one) > depth and one[:depth] == root for one in self._places)
        if is_below and tree not in self._trees:
            tree.counts.join_change()
            self._trees.append(tree)

    def try_enter(self) -> bool:
        """Enter if that takes no waiting; tell whether it does not."""
        locked = []
        for place in self._places:
            if not self._book.locks.try_acquire(place):
                break
            locked.append(place)
        else:
            if self._begin() is None:
                return True
        self._release(locked)
        return False

    def leave(self) -> None:
        """End the change."""
        self._book.changes.discard(self)
        self._release(self._places)
        for tree in self._trees:
            tree.change_ended()

    async def __aenter__(self) -> Change:
        locked: list[Place] = []
        try:
            for place in self._places:
                await self._book.locks.acquire(place)
                locked.append(place)
            while closed := self._begin():
                await closed.event()
        except BaseException:
            self._release(locked)
            raise
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: object, _traceback: TracebackType | None
    ) -> None:
        self.leave()

    def _begin(self) -> CountedTree | None:
        """Begin in the ledgers around; return one whose count changes have to wait for, if any."""
        book = self._book
        trees = list({id(t): t for p in self._places for t in book.roots.around(p)}.values())
        for number, tree in enumerate(trees):
            if not tree.counts.begin_change():
                for begun in trees[:number]:
                    begun.change_ended()
                return tree
        self._trees = trees
        book.changes.add(self)
        return None

    def _release(self, places: Iterable[Place]) -> None:
        for place in places:
            self._book.locks.release(place)
