"""The quotas of a cluster: all nodes together never exceed one.

The database has what each tree takes up, and what is reserved for each node beyond that
(`TreeRooms`). A node adds nothing without a reservation, and reservations never exceed a quota
together. What a node frees is room for itself at once, and for others within a second.

While the database is away, nothing is added beyond what a node knows to be in use. A node that is
gone counts with all that it may have added, until the tree is counted again (`CommonCounts`), which
is done before an upload is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from ftpservice.cluster.cluster_calls import UNANSWERED
from ftpservice.cluster.cluster_node import ClusterNode
from ftpservice.cluster.quotas.common_counts import CommonCounts
from ftpservice.cluster.quotas.quota_statements import RoomClaim, RoomGrant, leave_trees, take_rooms
from ftpservice.cluster.quotas.tree_exchange import TreeExchange
from ftpservice.cluster.quotas.tree_rooms import SETTLE_SECONDS, TreeRooms, room_of
from ftpservice.storage.errors import QuotaUnknown
from ftpservice.storage.quota.book import QuotaBook
from ftpservice.storage.quota.counted_tree import LOGIN_RECOUNT_SECONDS, CountedTree
from ftpservice.storage.quota.ledgers.ledger import Place, QuotaLimits
from ftpservice.storage.quota.ledgers.path_locks import is_shared
from ftpservice.storage.quota.ledgers.shared_counts import SharedCounts
from ftpservice.wire.paths import VirtualPath

__all__ = ["ClusterQuotas"]

log = Logger("ftpservice.cluster")

RETRY_SECONDS = (0.05, 0.15)
"""How long to wait for room that another node does not use, before each further question."""
LACKS_SECONDS = 0.5
"""How often other nodes are asked whether they have freed something, if nothing is reserved."""
PART_SECONDS = 1.0
"""How often an upload tries again with a part of what it has asked for: it may need less."""


class ClusterQuotas:
    """What asks the other nodes for the trees of ``book``."""

    def __init__(self, node: ClusterNode, book: QuotaBook, clock: Any) -> None:
        self._node = node
        self._book = book
        self._clock = clock
        self._timer: IDelayedCall | None = None
        self.rooms = rooms = TreeRooms(partial(_take, node), clock)
        rooms.failed = node.unanswered
        self._exchange = TreeExchange(node, book, rooms, clock)
        self.counts = CommonCounts(node, rooms, self._exchange.load, clock)
        node.receivers.append(self.counts.received)
        node.when_alone += [rooms.alone, self.counts.include_all]
        node.when_connected += [rooms.messages_lost, self.counts.include_all]
        node.when_counted_again.append(self._connected)
        node.before_leaving.append(self._leave)
        assert book.shared is not None
        book.shared.leases = self

    async def obtain(self, tree: CountedTree, limits: QuotaLimits, size: int, files: int) -> bool:
        """Ask for room for so much more; tell whether there is more room now than before."""
        leased, before = self.rooms.of(tree), tree.ledger.left(limits)
        after, now = before, self._clock.seconds()
        may_be_freed = now >= leased.lacked_until and self._node.status.nodes > 1
        for seconds in (*RETRY_SECONDS, None):
            grant = await self.rooms.want(tree, limits, size, files)
            if grant is None:
                return False
            after = tree.ledger.left(limits)
            if _is_enough(after, (size, files)):
                return True
            if seconds is None or not (may_be_freed or _is_reserved(after, (size, files), grant)):
                break
            leased.lacked_until = now + LACKS_SECONDS
            self._exchange.tell_lack(grant.tree)
            await deferLater(self._clock, seconds)
        if now < leased.tried_until or not _has_grown(before, after):
            return False
        leased.tried_until = now + PART_SECONDS  # others may take it, and give it back, again
        return True

    def check(
        self, tree: CountedTree, path: VirtualPath, limits: QuotaLimits, size: int, files: int
    ) -> None:
        """Raise `QuotaUnknown` if only the database is the reason why there is no room."""
        if not self.rooms.is_connected and _is_enough(
            limits.left(*tree.ledger.used()), (size, files)
        ):
            raise QuotaUnknown(path, "the database of the cluster does not answer")

    async def is_known(self, tree: CountedTree) -> bool:
        """Tell whether the use is known without another count, and have it used."""
        grant = await self.rooms.want(tree)
        if grant is None or grant.age is None or grant.is_in_doubt:
            return False
        if grant.age >= LOGIN_RECOUNT_SECONDS:
            return False
        room_of(tree).known(grant.age)
        return True

    async def count_begins(self, tree: CountedTree, is_exclusive: bool) -> int | None:
        """Tell the other nodes; None if a node changes something, or does not answer."""
        return await self.counts.begins(self.rooms.of(tree), is_exclusive)

    async def count_ends(self, tree: CountedTree, ticket: int) -> bool:
        """Tell the other nodes; False if one of them has changed something."""
        return await self.counts.ends(self.rooms.of(tree), ticket)

    def counted(self, tree: CountedTree, ticket: int) -> None:
        """Record what was counted, right after this node has accepted it."""
        self.counted_with(tree, ticket, cast(SharedCounts, tree.counts).shift)

    def counted_with(self, tree: CountedTree, ticket: int, shift: tuple[int, int]) -> None:
        """Record what a process of this node has counted."""
        telling = Deferred.fromCoroutine(self.counts.counted(self.rooms.of(tree), ticket, shift))
        telling.addErrback(partial(log.failure, "a count could not be told"))

    def forget(self, tree: CountedTree) -> None:
        """Forget a tree that nothing uses here, unless that changes meanwhile."""
        Deferred.fromCoroutine(self._forget(tree)).addErrback(_unanswered)

    async def _forget(self, tree: CountedTree) -> None:
        leased = self.rooms.of(tree)
        leased.gives_up = True
        if await self.rooms.want(tree) is not None:
            await self._node.claims.run(leave_trees, self._node.facts.run, leased.number)
            leased.is_joined = False
            if not tree.storages and self._book.trees.get(tree.place) is tree:
                self.rooms.trees.pop(tree.place, None)
                self._book.directory.forget_here(tree.place)

    def _connected(self) -> None:
        self.rooms.connected()
        self._exchange.load_soon()
        if self._timer is None:
            self._timer = self._clock.callLater(SETTLE_SECONDS, self._settle)

    def _settle(self) -> None:
        self._timer = self._clock.callLater(SETTLE_SECONDS, self._settle)
        self._book.directory.sync()
        self.rooms.settle(self._shared_trees())

    def _shared_trees(self) -> dict[Place, CountedTree]:
        return {place: tree for place, tree in self._book.trees.items() if is_shared(place)}

    async def _leave(self) -> None:
        """Tell what was changed last, and give back what is reserved."""
        self._book.directory.sync()
        for tree in self._shared_trees().values():
            self.rooms.of(tree).gives_up = True
        waiting = [
            Deferred.fromCoroutine(self.rooms.want(tree)) for tree in self._shared_trees().values()
        ]
        for answer in waiting:
            await answer
        await self._node.claims.run(leave_trees, self._node.facts.run)

    def close(self) -> None:
        """Ask nothing more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._exchange.close()
        self.counts.include_all()


def _take(node: ClusterNode, claims: Sequence[RoomClaim]) -> Deferred[list[RoomGrant]]:
    return node.claims.run(take_rooms, node.facts.run, next(node.claim_numbers), claims)


def _has_grown(before: tuple[int | None, int | None], after: tuple[int | None, int | None]) -> bool:
    return any(
        old is not None and new is not None and new > old
        for old, new in zip(before, after, strict=True)
    )


def _is_reserved(
    left: tuple[int | None, int | None], needed: tuple[int, int], grant: RoomGrant
) -> bool:
    """Tell whether other nodes have room that they do not use, of what is needed."""
    reserved = zip(left, needed, (grant.others_size, grant.others_files), strict=True)
    return any(one is not None and one < need and other for one, need, other in reserved)


def _is_enough(left: tuple[int | None, int | None], needed: tuple[int, int]) -> bool:
    return all(one is None or one >= need for one, need in zip(left, needed, strict=True))


def _unanswered(failure: Failure) -> None:
    failure.trap(*UNANSWERED)
