"""The ledgers of a service: which trees are counted, and what is in progress in them.

- A ledger begins with a count of its tree, at the first login of an account with a quota there.
  Nothing is kept on the disk, so a killed process leaves no wrong number behind: the next one
  counts again. Uploads wait for the count, at most `COUNT_TIMEOUT_SECONDS`.
- A tree is counted again every ``recount_interval`` seconds while a session uses it; at a login
  after a time without one; and before an upload is refused, if the last count is not recent. So
  what other programs add is seen within the interval, and what they remove when it matters.
- With several processes, each has a book. The numbers are in their shared table, and each book has
  the ledgers of all: whoever changes something charges every tree around it, and one count is for
  all of them. A new ledger is announced, and counted when all have read that. A process that ends
  in the middle of something leaves the sums in doubt: whoever would be refused counts first.
"""

from __future__ import annotations

from contextlib import suppress

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ftpservice.storage.errors import Busy
from ftpservice.storage.interfaces import IStorage
from ftpservice.storage.quota.counted_tree import CountedTree
from ftpservice.storage.quota.ledgers.ledger import Place, QuotaLimits
from ftpservice.storage.quota.ledgers.path_locks import is_shared
from ftpservice.storage.quota.recount_rounds import DEFAULT_RECOUNT_SECONDS, RecountRounds
from ftpservice.storage.quota.shared_quotas import SharedQuotas
from ftpservice.storage.quota.tree_directory import TreeDirectory

__all__ = ["QuotaBook"]

log = Logger("ftpservice.quota")


class QuotaBook:
    """All ledgers, by the place of their tree.

    ``recount_interval`` is in seconds; 0 for no counts at intervals. ``shared`` is what the
    processes of a service have in common.
    """

    def __init__(
        self,
        clock: IReactorTime,
        recount_interval: float = DEFAULT_RECOUNT_SECONDS,
        shared: SharedQuotas | None = None,
    ) -> None:
        self.directory = directory = TreeDirectory(clock, shared)
        self.trees = directory.trees
        """By the place of the tree, or by what identifies an account with several."""
        self.roots = directory.roots
        self.changes = directory.changes
        self.uploads = directory.uploads
        self.clock = clock
        self.shared = shared
        self._rounds = RecountRounds(clock, self.trees, recount_interval, directory.forget)

    @property
    def recount_interval(self) -> float:
        """Seconds between two counts of a tree; 0 for no counts at intervals."""
        return self._rounds.interval

    @recount_interval.setter
    def recount_interval(self, seconds: float) -> None:
        self._rounds.interval = seconds

    def enter(self, place: Place, storage: IStorage) -> CountedTree:
        """Return the ledger of the tree at ``place``, whose root a session's storage has.

        Raises `Busy`, with several processes.
        """
        tree = self._entered(place, place)
        tree.enter(storage)
        return tree

    def enter_account(self, key: Place, storages: IStorage) -> CountedTree:
        """Return the ledger of an account whose files are in several trees, added by `add_tree`.

        ``storages`` counts all of them (`ITreeUsage`). Raises `Busy`, with several processes.
        """
        tree = self._entered(key, None)
        tree.enter(storages)
        return tree

    def _entered(self, key: Place, root: Place | None) -> CountedTree:
        """Return a ledger that sessions are about to use, so that no process forgets it."""
        tree = self.trees.get(key)
        if tree is None or not tree.storages:
            with self.directory.telling(key) as tell:
                tree = self.directory.tree(key)
                self._rounds.watch(tree)
                if root is not None and root not in tree.roots:
                    tell(("root", key, root))
            self._rounds.schedule()
        return tree

    def add_tree(self, tree: CountedTree, place: Place) -> bool:
        """Charge what is below ``place`` to a ledger, too; False if it was charged already.

        Raises `Busy`, with several processes.
        """
        if place in tree.roots:
            return False
        with self.directory.telling(tree.place, place) as tell:
            if place in tree.roots:
                return False
            tell(("root", tree.place, place))
        return True

    def set_limits(self, tree: CountedTree, owner: str, limits: QuotaLimits) -> None:
        """Record the quota of an account that uses a tree; raises `Busy`."""
        if tree.limits.get(owner) != limits:
            with self.directory.telling(tree.place) as tell:
                tell(("limits", tree.place, owner, limits.size, limits.files))

    def set_left_out(self, tree: CountedTree, numbers: set[int]) -> None:
        """Record which storages a count has left out; raises `Busy`."""
        if tree.left_out != numbers:
            with self.directory.telling(tree.place) as tell:
                tell(("left out", tree.place, sorted(numbers)))

    def add(self, place: Place, size: int, files: int, partials: int = 0) -> None:
        """Record that what has the name at ``place`` takes up more, or less."""
        for tree in self.roots.around(place):
            tree.ledger.add(size, files, partials)

    def move_uploads(self, source: Place, target: Place) -> None:
        """Charge uploads at their new place, after a rename of a directory around them."""
        self.uploads.move(source, target)
        if self.shared is None or not self.shared.log.activity.others_are_active:
            return
        try:
            with self.directory.telling(source, target) as tell:
                tell(("move", source, target))
        except Busy:  # then the next refusal counts first
            for tree in self.roots.around(source) + self.roots.around(target):
                tree.doubt()

    def counted(self) -> list[CountedTree]:
        """Return the ledgers whose sums are known."""
        self.directory.sync()
        return [tree for tree in self.trees.values() if tree.counts.is_counted]

    def process_ended(self, column: int) -> None:
        """Give back what a process held that has ended, before its column is cleared."""
        if self.shared is None:
            return
        self.directory.sync()
        self.shared.log.activity.clear(column)
        doubtful = []
        for key in filter(is_shared, self.trees):
            if self.shared.end_process(key, column):
                doubtful.append(key)
        with suppress(Busy), self.directory.telling() as tell:
            for key in doubtful:
                tell(("doubt", key))

    def stop(self) -> None:
        """Count no more."""
        self._rounds.stop()
