"""The ledgers that a process knows: its own, and those that other processes have announced."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, cast

from twisted.internet.interfaces import IReactorTime

from ftpservice.storage.errors import Busy
from ftpservice.storage.quota.change import ChangeRegistry
from ftpservice.storage.quota.counted_tree import CountedTree
from ftpservice.storage.quota.ledger_roots import LedgerRoots
from ftpservice.storage.quota.ledgers.ledger import Place, QuotaLimits
from ftpservice.storage.quota.ledgers.path_locks import is_shared
from ftpservice.storage.quota.ledgers.shared_ledger import SharedLedger
from ftpservice.storage.quota.shared_quotas import SharedQuotas
from ftpservice.storage.quota.upload_registry import UploadRegistry

__all__ = ["TreeDirectory"]

KINDS = ("root", "limits", "left out", "doubt", "forget", "move", "all")
"""What entries are."""
Tell = Callable[[Sequence[Any]], None]
"""Takes an entry: what it is (see `TreeDirectory`), the place of the ledger, and more."""


class TreeDirectory:
    """Ledgers by place, and what is in progress in them.

    An entry is told to all processes, and takes effect when a process reads it:

    - ``root``: the ledger counts what is below another place, too. It is made if there is none.
    - ``limits``: the quota of an account that uses it.
    - ``left out``: the storages of an account that its count has left out.
    - ``doubt``: its sums are in doubt.
    - ``forget``: no process uses it.
    - ``move``: a directory was renamed, with uploads in it.
    - ``all``: which ledgers there are; what follows is known to those that have read all so far.
    """

    def __init__(self, clock: IReactorTime, shared: SharedQuotas | None) -> None:
        self.trees: dict[Place, CountedTree] = {}
        self.roots = LedgerRoots()
        self.changes = ChangeRegistry(self.roots, shared, clock)
        self.uploads = UploadRegistry(self.roots, shared)
        self.shared = shared
        self._clock = clock
        if shared is not None:
            shared.follow = self.sync

    def tree(self, key: Place) -> CountedTree:
        """Return a ledger, a new one if there is none."""
        tree = self.trees.get(key)
        if tree is None:
            if self.shared is not None and is_shared(key):
                tree = self.shared.tree(key)
            else:
                tree = CountedTree(key, self._clock)
            self.trees[key] = tree
        return tree

    def cut_off(self) -> None:
        """Let the trees of a cluster grow no more: this process cannot ask it any more.

        What is reserved for this node goes to others once it counts as gone. So uploads write no
        further byte, but those that replace a file with no more than its size.
        """
        if self.shared is None or self.shared.leases is None:
            return
        self.shared.is_cut_off = True
        for tree in self.trees.values():
            if isinstance(tree.ledger, SharedLedger):
                tree.is_cut_off = tree.ledger.is_cut_off = True
                self.uploads.ask_again(tree.ledger)

    @contextmanager
    def telling(self, *places: Place) -> Iterator[Tell]:
        """Provide what takes entries about these places; raises `Busy`.

        They take effect at the end of the ``with``, or at once if they concern no other process.
        """
        if self.shared is None or not all(map(is_shared, places)):
            yield lambda entry: self._apply(*entry)
            return
        with self.shared.announcing() as tell:
            self.sync()
            yield tell
            self.sync()
            self.shared.log.shorten(self._everything)

    def _everything(self) -> Iterator[Sequence[Any]]:
        """Yield what a process that knows nothing has to be told."""
        shared = [tree for key, tree in self.trees.items() if is_shared(key)]
        yield "all", [tree.place for tree in shared]
        for tree in shared:
            yield from (("root", tree.place, root) for root in tree.roots if is_shared(root))
            for owner, limits in tree.limits.items():
                yield "limits", tree.place, owner, limits.size, limits.files
            yield "left out", tree.place, sorted(tree.left_out)

    def sync(self) -> None:
        """Read what other processes have announced."""
        if self.shared is not None and self.shared.log.has_news:
            for kind, *values in self.shared.log.news():
                if kind in KINDS:  # not one of another version, during an upgrade
                    self._apply(kind, *(tuple(v) if isinstance(v, list) else v for v in values))

    def _apply(self, kind: str, key: Place, *values: Any) -> None:
        if kind == "move":
            self.uploads.move(key, *values)
        elif kind == "all":
            there = {tuple(cast(list[object], one)) for one in key}
            for gone in [one for one in self.trees if is_shared(one) and one not in there]:
                self._forget(gone)
        elif kind == "forget":
            self._forget(key)
        else:
            self._apply_to(self.tree(key), kind, *values)

    def _apply_to(self, tree: CountedTree, kind: str, *values: Any) -> None:
        if kind == "root":
            self._join(tree, *values)
        elif kind == "limits":
            owner, size, files = values
            tree.limits[owner] = QuotaLimits(size, files)
        elif kind == "left out":
            tree.left_out = set(*values)
        elif kind == "doubt" and tree.storages:
            self._clock.callLater(0, tree.begin_count)

    def _join(self, tree: CountedTree, place: Place) -> None:
        """Charge what is below ``place`` to a ledger, and what is in progress there."""
        if self.shared is not None:
            tree.counts.announced_at = self.shared.log.end_position
        if self.roots.add(tree, place):
            self.changes.join(tree, place)
            self.uploads.join(tree, place)

    def _forget(self, key: Place) -> None:
        tree = self.trees.pop(key, None)
        if tree is not None:
            self.roots.forget(tree)

    def forget(self, key: Place) -> None:
        """Forget a ledger that nothing uses, unless another process does."""
        tree = self.trees[key]
        if tree.leases is None:
            self.forget_here(key)
        else:
            tree.leases.forget(tree)

    def forget_here(self, key: Place) -> None:
        """Forget a ledger that nothing uses on this node, unless another process does."""
        with suppress(Busy), self.telling(key) as tell:
            if self.shared is None or not is_shared(key) or self.shared.forget(key):
                tell(("forget", key))
