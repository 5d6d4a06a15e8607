"""Trees in use are counted at intervals, and ledgers that nothing uses are forgotten."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ftpservice.concurrency.task import Task
from ftpservice.storage.quota.counted_tree import CountedTree
from ftpservice.storage.quota.ledgers.ledger import Place

__all__ = ["DEFAULT_RECOUNT_SECONDS", "RecountRounds"]

DEFAULT_RECOUNT_SECONDS = 3600.0
RELEASE_SECONDS = 15.0
"""How often a process looks which trees its sessions do not use any more."""


class RecountRounds:
    """Counts the trees of a book at intervals, and forgets those that nothing uses."""

    def __init__(
        self,
        clock: IReactorTime,
        trees: Mapping[Place, CountedTree],
        interval: float,
        forget: Callable[[Place], object],
    ) -> None:
        self.interval = interval
        """In seconds; 0 for no counts at intervals."""
        self._clock = clock
        self._trees = trees
        self._forget = forget
        self._timer: IDelayedCall | None = None
        self._round: Task[None] | None = None
        self._watched: set[CountedTree] = set()
        self._release_timer: IDelayedCall | None = None

    def stop(self) -> None:
        """Count no more."""
        for timer in (self._timer, self._release_timer):
            if timer is not None:
                timer.cancel()
        self._timer = self._release_timer = None
        if self._round is not None:
            self._round.cancel()

    def schedule(self) -> None:
        """Count after the interval, if there is something to count."""
        if self._timer is None and self._round is None and self._trees:
            seconds = self.interval or DEFAULT_RECOUNT_SECONDS
            self._timer = self._clock.callLater(seconds, self._begin)

    def _begin(self) -> None:
        self._timer = None
        self._round = task = Task(self._recount())
        task.done.addErrback(lambda _cancelled: None)

    async def _recount(self) -> None:
        """Forget the ledgers that nothing uses, and count the trees of the others, one by one."""
        for key in [key for key, tree in self._trees.items() if _is_idle(tree)]:
            self._forget(key)
        used = [tree for tree in self._trees.values() if self.interval and tree.storages]
        try:
            for tree in used:
                if not self._was_counted_elsewhere(tree):
                    tree.begin_count()
                while tree.counts.is_counting:  # a failure is logged
                    await tree.event()
        finally:
            self._round = None
        self.schedule()

    def _was_counted_elsewhere(self, tree: CountedTree) -> bool:
        """Tell whether another process has counted a tree in this round."""
        counts = tree.counts
        if counts.poll_seconds is None or counts.is_in_doubt:
            return False
        return bool(self._clock.seconds() - counts.counted_at < self.interval / 2)

    def watch(self, tree: CountedTree) -> None:
        """Tell other processes that sessions use a tree, and when they have ended."""
        if tree.counts.poll_seconds is None:
            return
        tree.counts.use(True)
        self._watched.add(tree)
        if self._release_timer is None:
            self._release_timer = self._clock.callLater(RELEASE_SECONDS, self._release)

    def _release(self) -> None:
        self._release_timer = None
        for tree in [one for one in self._watched if not one.storages]:
            tree.counts.use(False)
            self._watched.discard(tree)
        if self._watched:
            self._release_timer = self._clock.callLater(RELEASE_SECONDS, self._release)


def _is_idle(tree: CountedTree) -> bool:
    """Tell whether no session and no upload uses a tree."""
    counts = tree.counts
    is_used = tree.storages or counts.is_used_elsewhere or counts.is_counting
    return not (is_used or counts.changes or tree.ledger.held_files)
