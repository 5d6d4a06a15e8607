"""Which ledgers count what is at a place: looked up by the directories above it."""

from __future__ import annotations

from ftpservice.storage.quota.counted_tree import CountedTree
from ftpservice.storage.quota.ledgers.ledger import Place

__all__ = ["LedgerRoots"]


class LedgerRoots:
    """The ledgers by the directories that they count everything below."""

    def __init__(self) -> None:
        self._ledgers: dict[Place, list[CountedTree]] = {}

    def add(self, tree: CountedTree, place: Place) -> bool:
        """Have a ledger count what is below ``place``; False if it does already."""
        if place in tree.roots:
            return False
        tree.roots.add(place)
        self._ledgers.setdefault(place, []).append(tree)
        return True

    def forget(self, tree: CountedTree) -> None:
        """Remove a ledger."""
        for root in tree.roots:
            others = self._ledgers[root]
            others.remove(tree)
            if not others:
                del self._ledgers[root]

    def around(self, place: Place) -> list[CountedTree]:
        """Return the ledgers that count what has the name at ``place``, inmost first."""
        ledgers = self._ledgers
        if not ledgers:
            return []
        prefixes = (place[:depth] for depth in range(len(place) - 1, 0, -1))
        return list(dict.fromkeys(tree for one in prefixes for tree in ledgers.get(one, ())))

    def overlaps(self, root: Place) -> bool:
        """Tell whether a counted directory is that at ``root``, contains it, or lies in it."""
        if self.around((*root, "")):
            return True
        return any(place[: len(root)] == root for place in self._ledgers)
