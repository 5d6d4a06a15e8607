"""What this node may add to the trees of its cluster: questions to the database, many in one.

A node tells what it has added to a tree with each question, and once a second if something has
changed. What is reserved for it and not used goes back after some seconds, or at once when another
node lacks it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from ftpservice.cluster.quotas.quota_statements import RoomClaim, RoomGrant
from ftpservice.storage.errors import Busy
from ftpservice.storage.quota.counted_tree import CountedTree
from ftpservice.storage.quota.ledgers.leased_room import LeasedRoom, NodeUse
from ftpservice.storage.quota.ledgers.ledger import NO_LIMITS, Place, QuotaLimits
from ftpservice.storage.quota.ledgers.path_locks import is_shared
from ftpservice.storage.quota.ledgers.tree_record import POLL_SECONDS, RecordLocked

__all__ = ["LeasedTree", "TreeRooms", "room_of"]

MAX_CLAIMS = 200
"""Trees in one question to the database."""
MAX_LOOKS = 2000
"""Trees that are looked at in one turn of the reactor."""
SETTLE_SECONDS = 1.0
UNUSED_SECONDS = 5.0
"""How long room is kept that is not used."""

Ask = Callable[[Sequence[RoomClaim]], Deferred[list[RoomGrant]]]


@dataclass(slots=True)
class Want:
    """An upload that waits for room."""

    limits: QuotaLimits
    size: int
    files: int
    answered: Deferred[RoomGrant | None] = field(default_factory=Deferred)


@dataclass(slots=True)
class LeasedTree:
    """A tree as its cluster knows it."""

    tree: CountedTree
    number: int = 0
    """That of the database; 0: it has not answered yet."""
    is_joined: bool = False
    """Whether the database counts what this node adds."""
    is_counted_here: bool = False
    """Whether the database is being told a count of this node."""
    told: tuple[int, int] = (0, 0)
    """The own change that the database knows."""
    told_roots: int = 0
    is_stale: bool = False
    """Whether other nodes have changed it, or may have."""
    gives_up: bool = False
    """Whether what is reserved and not used goes back with the next question."""
    lacked_until: float = 0.0
    """Until when the other nodes are not asked for room again."""
    tried_until: float = 0.0
    """Until when an upload does not try again with less room than it has asked for."""
    room_since: float = 0.0
    last: tuple[int, int] = (0, 0)
    """The own change at the last look."""
    waiting: list[Want] = field(default_factory=list)

    def claim(self, wants: Iterable[Want]) -> RoomClaim:
        """Return a question; raises `Busy`."""
        room = room_of(self.tree)
        use = room.give_up() if self.gives_up else room.use()  # before anything else changes
        self.gives_up = self.is_stale = False
        size = files = 0
        most: list[QuotaLimits] = []
        for want in wants:
            size, files = size + want.size, files + want.files
            most.append(want.limits)
        kept_size = max(0, use.room_size)
        kept_files = max(0, use.room_files)
        self.told_roots = len(self.tree.roots)
        return RoomClaim(
            json.dumps(self.tree.place),
            json.dumps(sorted(filter(is_shared, self.tree.roots), key=repr)),
            use.size,
            use.files,
            kept_size,
            kept_files,
            size,
            files,
            _least(limits.size for limits in most),
            _least(limits.files for limits in most),
        )


def room_of(tree: CountedTree) -> LeasedRoom:
    """Return the numbers of a tree that its cluster needs."""
    ledger: Any = tree.ledger
    return cast(LeasedRoom, ledger.room)


def _least(limits: Iterable[int | None]) -> int | None:
    return min((one for one in limits if one is not None), default=None)


class TreeRooms:
    """The trees of a node; ``ask`` asks the database."""

    failed: Callable[[Failure], object] = bool
    """Called when a question fails."""
    changed: Callable[[list[int]], object] = bool
    """Called with trees whose change was told to the database."""
    is_new: Callable[[], object] = bool
    """Called when the database has learnt of a tree."""

    def __init__(self, ask: Ask, clock: IReactorTime) -> None:
        self._ask = ask
        self._clock = clock
        self.trees: dict[Place, LeasedTree] = {}
        self._due: dict[Place, LeasedTree] = {}
        self._is_asking = self.is_connected = False
        self._flush_due: IDelayedCall | None = None
        self._looked_at = 0

    def of(self, tree: CountedTree) -> LeasedTree:
        """Return what is known of a tree."""
        found = self.trees.get(tree.place)
        if found is None or found.tree is not tree:
            found = self.trees[tree.place] = LeasedTree(tree)
        return found

    def numbered(self, number: int) -> LeasedTree | None:
        """Return a tree by its number in the database."""
        return next((one for one in self.trees.values() if one.number == number), None)

    async def want(
        self, tree: CountedTree, limits: QuotaLimits = NO_LIMITS, size: int = 0, files: int = 0
    ) -> RoomGrant | None:
        """Ask for room; returns the answer, None without one."""
        if not self.is_connected:
            return None
        leased, want = self.of(tree), Want(limits, size, files)
        leased.waiting.append(want)
        self.ask_soon(leased)
        return await want.answered

    def ask_soon(self, leased: LeasedTree) -> None:
        """Ask about a tree with what else is under way now."""
        if self.is_connected:
            self._due[leased.tree.place] = leased
            if self._flush_due is None and not self._is_asking:
                self._flush_due = self._clock.callLater(0, self._flush)

    def _ask_later(self, leased: LeasedTree) -> None:
        """Ask again soon: a worker keeps the numbers locked, and who waits goes on waiting."""
        self._clock.callLater(POLL_SECONDS, self.ask_soon, leased)

    def alone(self) -> None:
        """Add nothing beyond what is used: the database does not answer."""
        self.is_connected = False
        self._due.clear()
        for leased in self.trees.values():
            _answer(leased.waiting, None)
            leased.waiting = []
            _give_up(leased)

    def connected(self) -> None:
        """Ask about all trees: other nodes may have changed them."""
        self.is_connected = True
        for leased in self.trees.values():
            leased.is_joined = False
            self.ask_soon(leased)

    def messages_lost(self) -> None:
        """Ask about all trees with the next look: what has changed was not told."""
        for leased in self.trees.values():
            leased.is_stale = True

    def settle(self, trees: Mapping[Place, CountedTree]) -> None:
        """Tell the database what has changed, and give back what is not used.

        Of very many trees, some are looked at each time.
        """
        now, count = self._clock.seconds(), len(trees)
        first = self._looked_at % count if count > MAX_LOOKS else 0
        self._looked_at = first + MAX_LOOKS
        for tree in islice(
            (*trees.values(), *trees.values()), first, first + min(count, MAX_LOOKS)
        ):
            leased = self.of(tree)
            try:
                use = room_of(tree).use()
            except Busy:
                continue
            own = use.size, use.files
            if own != leased.last:
                leased.last, leased.room_since = own, now
            is_unused = now - leased.room_since >= UNUSED_SECONDS and _has_room(use)
            leased.gives_up |= is_unused
            is_other = own != leased.told or len(tree.roots) != leased.told_roots
            is_stale = leased.is_stale and bool(tree.storages or tree.counts.is_used_elsewhere)
            if is_stale or is_unused or is_other or not leased.is_joined:
                self.ask_soon(leased)

    def _flush(self) -> None:
        self._flush_due = None
        if self._is_asking or not self._due:
            return
        asked: list[tuple[LeasedTree, RoomClaim, list[Want]]] = []
        for place in list(self._due)[:MAX_CLAIMS]:
            leased = self._due.pop(place)
            wants, others = _served_together(leased.waiting)
            try:
                asked.append((leased, leased.claim(wants), wants))
            except RecordLocked:
                self._ask_later(leased)
                continue
            except Busy:
                _answer(wants, None)
            leased.waiting = others
            if others:
                self._due[place] = leased
        if asked:
            self._is_asking = True
            self._ask([claim for _, claim, _ in asked]).addBoth(self._answered, asked)

    def _answered(
        self,
        answer: list[RoomGrant] | Failure,
        asked: list[tuple[LeasedTree, RoomClaim, list[Want]]],
    ) -> None:
        self._is_asking = False
        if isinstance(answer, Failure):
            try:
                self.failed(answer)
            finally:
                for _leased, _claim, wants in asked:
                    _answer(wants, None)
            return
        changed = []
        for (leased, claim, wants), grant in zip(asked, answer, strict=True):
            if leased.told != (claim.size, claim.files):
                changed.append(grant.tree)
            leased.told, leased.number = (claim.size, claim.files), grant.tree
            leased.is_joined = True
            self._use(leased, claim, wants, grant)
        if changed:
            self.changed(changed)
        if any(grant.is_new for grant in answer):
            self.is_new()
        if self._due and self._flush_due is None:
            self._flush_due = self._clock.callLater(0, self._flush)

    def _use(
        self, leased: LeasedTree, claim: RoomClaim, wants: list[Want], grant: RoomGrant
    ) -> None:
        """Use an answer; without a table for that, nothing is added."""
        try:
            _use(leased, claim, grant)
        except RecordLocked:  # what was reserved is asked for once more
            leased.waiting[:0] = wants
            self._ask_later(leased)
            return
        except Busy:
            leased.is_stale = True
        _answer(wants, grant)


def _served_together(waiting: list[Want]) -> tuple[list[Want], list[Want]]:
    """Return those that one question can be about, which have the same limits, and the others."""
    if not waiting:
        return [], []
    limits = waiting[0].limits
    together = [want for want in waiting if want.limits == limits]
    return together, [want for want in waiting if want.limits != limits]


def _use(leased: LeasedTree, claim: RoomClaim, grant: RoomGrant) -> None:
    """Use an answer; raises `Busy`, and then nothing is added."""
    tree = leased.tree
    if grant.age is None:
        _count_again(leased)
    else:
        room_of(tree).set(
            (grant.use_size - claim.size, grant.use_files - claim.files),
            (claim.size + grant.room_size, claim.files + grant.room_files),
            (grant.others_size, grant.others_files),
        )
    if grant.is_in_doubt and not tree.counts.is_in_doubt:
        tree.doubt()


def _count_again(leased: LeasedTree) -> None:
    """Count a tree whose use the database does not know, unless it is about to be told."""
    tree = leased.tree
    if tree.counts.is_counted and not leased.is_counted_here:
        tree.counts.void()
        if tree.storages:
            tree.begin_count()


def _has_room(use: NodeUse) -> bool:
    return use.room_size > 0 or use.room_files > 0


def _give_up(leased: LeasedTree) -> None:
    try:
        room_of(leased.tree).give_up()
    except Busy:
        leased.gives_up = True


def _answer(wants: Iterable[Want], grant: RoomGrant | None) -> None:
    for want in wants:
        if not want.answered.called:
            want.answered.callback(grant)
