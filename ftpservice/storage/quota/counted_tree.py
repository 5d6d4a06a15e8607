"""A ledger with the counts of its tree: when they begin, whether they are valid, who waits."""

from __future__ import annotations

from typing import Protocol
from weakref import WeakSet

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ftpservice.concurrency.lock_wait import LockWait
from ftpservice.concurrency.task import Task, drop_tracebacks
from ftpservice.storage.errors import Busy, QuotaUnknown, StorageError, Unavailable
from ftpservice.storage.interfaces import IStorage
from ftpservice.storage.quota.count import count_tree
from ftpservice.storage.quota.ledgers.count_state import CountState, ICountState
from ftpservice.storage.quota.ledgers.ledger import ILedger, Place, QuotaLedger, QuotaLimits
from ftpservice.storage.quota.ledgers.tree_record import RecordLocked
from ftpservice.storage.quota_interfaces import QuotaState
from ftpservice.wire.paths import ROOT, VirtualPath

__all__ = [
    "ACCOUNT_KIND",
    "COUNT_TIMEOUT_SECONDS",
    "CountedTree",
    "TreeLeases",
    "check_cluster",
    "ledger_text",
]

log = Logger("ftpservice.quota")

ACCOUNT_KIND = "account"
"""The first part of the place of a ledger that is for an account: its name follows."""
COUNT_TIMEOUT_SECONDS = 20.0
"""What an upload waits for a count before it is refused as `Busy`."""
RECENT_SECONDS = 5.0
"""A count that old is recent enough to refuse an upload by."""
RECENT_PER_COUNT_SECOND = 20
"""Seconds that a count stays recent for each second that it took."""
LOGIN_RECOUNT_SECONDS = 60.0
"""The age of a count at which the first of an account's sessions has the tree counted again."""
MAX_SHARED_ATTEMPTS = 3
"""Counts that changes may disturb; changes wait for the next one."""


def ledger_text(place: Place) -> str:
    """Return the place of a ledger for messages: its account, or its directory."""
    kind, *names = place
    if kind == ACCOUNT_KIND:
        return repr(names[0])
    start = kind if isinstance(kind, str) else type(kind).__name__
    return f"{start}:/{'/'.join(map(str, names))}"


CountTicket = int
"""The number of a count that has begun on all nodes; 0: on this one only, which is alone."""


class TreeLeases(Protocol):
    """Asks the other nodes of a cluster, by way of its database."""

    async def obtain(self, tree: CountedTree, limits: QuotaLimits, size: int, files: int) -> bool:
        """Ask for room for so much more; tell whether there is more room now than before."""

    def check(
        self, tree: CountedTree, path: VirtualPath, limits: QuotaLimits, size: int, files: int
    ) -> None:
        """Raise `QuotaUnknown` if only the database is the reason why there is no room."""

    async def is_known(self, tree: CountedTree) -> bool:
        """Tell whether the use is known without another count, and have it used."""

    async def count_begins(self, tree: CountedTree, is_exclusive: bool) -> CountTicket | None:
        """Tell the other nodes; None if a node changes something, or does not answer.

        ``is_exclusive``: their changes wait until the count has ended.
        """

    async def count_ends(self, tree: CountedTree, ticket: CountTicket) -> bool:
        """Tell the other nodes; False if one of them has changed something."""

    def forget(self, tree: CountedTree) -> None:
        """Forget a tree that nothing uses here, unless that changes meanwhile."""

    def counted(self, tree: CountedTree, ticket: CountTicket) -> None:
        """Record what was counted, right after this node has accepted it."""


class CountedTree:
    """The ledger of the tree at ``place``, and its counts.

    The tree is what each of ``storages``, those of its sessions, has as its root. A count is valid
    only if no change was in progress or ended while the tree was read. Otherwise it is repeated,
    and finally new changes wait for it. Uploads that move data do not wait.

    Its ``numbers`` are those of this process alone, unless others are given.
    """

    def __init__(
        self,
        place: Place,
        clock: IReactorTime,
        numbers: tuple[ILedger, ICountState] | None = None,
    ) -> None:
        self.place = place
        self.ledger: ILedger
        self.counts: ICountState
        if numbers is None:
            ledger = QuotaLedger()
            numbers = ledger, CountState(ledger, clock.seconds())
        self.ledger, self.counts = numbers
        self.roots: set[Place] = set()
        """Where the directories are that it counts everything below."""
        self.left_out: set[int] = set()
        """The numbers of storages that the last count left out, because they were down."""
        self.leases: TreeLeases | None = None
        """In a cluster, what asks the other nodes."""
        self.is_cut_off = False
        """Whether this process cannot ask its cluster any more: the tree does not grow here."""
        self.storages: WeakSet[IStorage] = WeakSet()
        self.limits: dict[str, QuotaLimits] = {}
        """The quotas of the accounts that have used it, by name."""
        self._clock = clock
        self._counting: Task[None] | None = None
        self._event_waiters: list[Deferred[None]] = []

    @property
    def is_recent(self) -> bool:
        """Whether the last count suffices to refuse an upload by."""
        counts = self.counts
        age = self._clock.seconds() - counts.counted_at
        longest = max(RECENT_SECONDS, RECENT_PER_COUNT_SECOND * counts.took)
        return age <= longest and not counts.is_in_doubt

    def enter(self, storage: IStorage) -> None:
        """Add the storage of a session; the tree is counted if there was none for a time."""
        counts = self.counts
        age = self._clock.seconds() - counts.counted_at
        is_used = bool(self.storages) or counts.is_used_elsewhere
        if not is_used and (age >= LOGIN_RECOUNT_SECONDS or counts.is_in_doubt):
            counts.void()
        self.storages.add(storage)
        counts.use(True)
        if not counts.is_counted or counts.is_in_doubt:
            self.begin_count()

    def begin_count(self) -> bool:
        """Count the tree, unless that is in progress or cannot be begun now.

        Return whether it can be begun in a moment: another process has the numbers locked.
        """
        try:
            self._begin_count()
        except RecordLocked:
            return True
        except Busy:
            return False
        return False

    def _begin_count(self) -> None:
        if self._counting is None and self.counts.begin_count():
            task = Task(self._count())
            if not task.ended:
                self._counting = task

    async def count(self) -> None:
        """Count the tree from now on, and wait for that; raises `Busy` if it fails."""
        counts = self.counts
        wanted, before = counts.begun + 1, counts.counted_at
        wait = LockWait(self._clock)
        while counts.ended < wanted:
            try:
                self._begin_count()
            except RecordLocked:
                if not await wait.is_worth_another_try():
                    raise
                continue
            if counts.ended < wanted:
                await self.event()
        has_failed = counts.counted_at == before and not self.is_recent
        if has_failed or not counts.is_counted:
            raise Busy(ROOT, "the tree could not be counted")

    async def when_counted(self, path: VirtualPath) -> None:
        """Wait until the sums are those of the tree; raises `Busy` if that takes long."""
        counts = self.counts
        if counts.is_counted:
            return
        check_cluster(self, path)
        deadline = self._clock.seconds() + COUNT_TIMEOUT_SECONDS
        is_elsewhere = True
        while is_elsewhere and not counts.is_counted:  # a process that counts may end meanwhile
            is_locked = self.begin_count()
            is_elsewhere = is_locked or (self._counting is None and counts.is_counting)
            while not counts.is_counted and (counts.is_counting or is_locked):
                left = deadline - self._clock.seconds()
                if left <= 0:
                    raise Busy(path, "what the account uses is being counted")
                is_locked = False
                await self.event(left)
        if not counts.is_counted:
            raise Busy(path, "what the account uses could not be counted")

    async def state(self, limits: QuotaLimits) -> QuotaState:
        """Return what is used, without files that will be replaced; raises `Busy`."""
        counts = self.counts
        await self.when_counted(ROOT)
        if counts.is_in_doubt:
            self.begin_count()
            while counts.is_in_doubt and counts.is_counting:
                await self.event()
        return QuotaState(*self.ledger.used(), limits.size, limits.files)

    def change_ended(self) -> None:
        """Record the end of a change."""
        self.counts.end_change()
        self._wake()

    def doubt(self) -> None:
        """Record that the sums may be wrong: the next refusal counts first, and a count begins."""
        self.counts.doubt()
        if self.storages:
            self.begin_count()

    async def _count(self) -> None:
        try:
            await self._valid_count()
        except StorageError as error:
            log.error(
                "quota of {place}: the count failed: {error}",
                place=ledger_text(self.place),
                error=error,
            )
            drop_tracebacks(error)
        finally:
            self._counting = None
            self.counts.end_count()
            self._wake()

    async def _valid_count(self) -> None:
        storage = next(iter(self.storages), None)
        if storage is None:
            raise Unavailable(ROOT, "no session uses the tree")
        leases, counts, attempts = self.leases, self.counts, 0
        if leases is not None and not counts.is_counted and await leases.is_known(self):
            return
        await self.when_announced()
        while not await _is_counted(self, storage, self._clock, attempts >= MAX_SHARED_ATTEMPTS):
            attempts += 1
            if attempts >= MAX_SHARED_ATTEMPTS:
                if attempts > MAX_SHARED_ATTEMPTS and leases is not None:
                    raise Unavailable(ROOT, "other nodes change it, or do not answer")
                counts.exclude()
                while counts.changes:
                    await self.event()

    async def when_announced(self) -> None:
        """Wait until all processes know what the tree contains, so that no change is missed."""
        while not self.counts.is_announced:
            await self.event()

    async def event(self, seconds: float | None = None) -> None:
        """Wait until a change or a count ends, or for ``seconds``; perhaps for less."""
        poll = self.counts.poll_seconds
        if poll is not None:
            seconds = poll if seconds is None else min(poll, seconds)
        waiter: Deferred[None] = Deferred()
        self._event_waiters.append(waiter)
        timeout = None
        if seconds is not None:
            timeout = self._clock.callLater(seconds, self._wake)
        try:
            await waiter
        finally:
            if timeout is not None and timeout.active():
                timeout.cancel()

    def _wake(self) -> None:
        waiting, self._event_waiters = self._event_waiters, []
        for waiter in waiting:
            if not waiter.called:  # else its call was cancelled
                waiter.callback(None)


def check_cluster(tree: CountedTree, path: VirtualPath) -> None:
    """Raise `QuotaUnknown` if this process cannot ask its cluster any more."""
    if tree.is_cut_off:
        raise QuotaUnknown(path, "the main process of this node has ended")


async def _is_counted(
    tree: CountedTree, storage: IStorage, clock: IReactorTime, is_exclusive: bool
) -> bool:
    """Count a tree; tell whether nothing has changed meanwhile, on any node."""
    leases, counts = tree.leases, tree.counts
    started, ticket = clock.seconds(), None
    if leases is not None:
        ticket = await leases.count_begins(tree, is_exclusive)
        if ticket is None:
            return False
    mark, is_same = counts.mark(), True
    try:
        found = await count_tree(storage, ROOT)
    finally:
        if leases is not None and ticket is not None:
            is_same = await leases.count_ends(tree, ticket)
    is_counted = is_same and counts.accept(mark, found, (started, clock.seconds()))
    if is_counted and leases is not None and ticket is not None:
        leases.counted(tree, ticket)
    return is_counted
