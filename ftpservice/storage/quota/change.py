"""Changes of names in progress: which locks they hold, and which counts they disturb."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType

from twisted.internet.interfaces import IReactorTime

from ftpservice.storage.quota.counted_tree import CountedTree
from ftpservice.storage.quota.ledger_roots import LedgerRoots
from ftpservice.storage.quota.ledgers.ledger import Place
from ftpservice.storage.quota.ledgers.path_locks import PathLocks, SharedPathLocks
from ftpservice.storage.quota.shared_quotas import SharedQuotas

__all__ = ["Change", "ChangeRegistry"]


class ChangeRegistry:
    """The changes in progress, and the locks of their names."""

    def __init__(
        self, roots: LedgerRoots, shared: SharedQuotas | None, clock: IReactorTime
    ) -> None:
        self.roots = roots
        self.shared = shared
        self.own_locks = PathLocks()
        self.locks: PathLocks | SharedPathLocks = self.own_locks
        if shared is not None:
            self.locks = SharedPathLocks(self.own_locks, shared.names, clock)
        self.in_progress: set[Change] = set()

    def join(self, tree: CountedTree, root: Place) -> None:
        """Have changes take part in a ledger that counts, since now, what is below ``root``."""
        for change in self.in_progress:
            change.join(tree, root)


class Change:
    """A change of names, in progress while this is entered (``async with``).

    It excludes other changes of the same names, and counts of the trees that contain them. Changes
    must not be nested, and no count may be waited for in one.
    """

    def __init__(self, registry: ChangeRegistry, *places: Place) -> None:
        self._registry = registry
        self._places = sorted(set(places), key=lambda place: place[1:])
        self._trees: list[CountedTree] = []
        self._locks = registry.locks

    def join(self, tree: CountedTree, root: Place) -> None:
        """Take part in a ledger that counts, since now, what is below ``root``."""
        depth = len(root)
        is_below = any(len(one) > depth and one[:depth] == root for one in self._places)
        if is_below and tree not in self._trees:
            tree.counts.join_change()
            self._trees.append(tree)

    def try_enter(self) -> bool:
        """Enter if that takes no waiting; tell whether it does not."""
        self._announce()
        locked = []
        for place in self._places:
            if not self._locks.try_acquire(place):
                break
            locked.append(place)
        else:
            if self._begin() is None:
                return True
        self._give_up(locked)
        return False

    def leave(self) -> None:
        """End the change."""
        self._registry.in_progress.discard(self)
        self._give_up(self._places)
        for tree in self._trees:
            tree.change_ended()

    async def __aenter__(self) -> Change:
        self._announce()
        locked: list[Place] = []
        try:
            for place in self._places:
                await self._locks.acquire(place)
                locked.append(place)
            while closed := self._begin():
                await closed.event()
        except BaseException:
            self._give_up(locked)
            raise
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: object, _traceback: TracebackType | None
    ) -> None:
        self.leave()

    def _announce(self) -> None:
        """Tell other processes that this one changes something, before it reads what is new.

        They need not be kept out where no ledger counts. If one does later, its first count waits
        for the end of this change.
        """
        registry = self._registry
        if registry.shared is not None:
            registry.shared.begin()
            registry.shared.follow()
            if not any(map(registry.roots.around, self._places)):
                self._locks = registry.own_locks

    def _begin(self) -> CountedTree | None:
        """Begin in the ledgers around; return one whose count changes have to wait for, if any."""
        registry = self._registry
        if registry.shared is not None:
            registry.shared.follow()
        roots = registry.roots
        trees = list({id(t): t for p in self._places for t in roots.around(p)}.values())
        for number, tree in enumerate(trees):
            if not tree.counts.begin_change():
                for begun in trees[:number]:
                    begun.change_ended()
                return tree
        self._trees = trees
        registry.in_progress.add(self)
        return None

    def _give_up(self, places: Iterable[Place]) -> None:
        for place in places:
            self._locks.release(place)
        if self._registry.shared is not None:
            self._registry.shared.log.activity.end()
