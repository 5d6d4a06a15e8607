"""The quotas of a cluster in a node with workers: these ask its main process.

What is reserved for the node is in the memory that its processes share, so a worker asks only when
nothing is left of it, and for counts.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, cast

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from ftpservice.session.shared.peer_requests import PeerGone, PeerRequests
from ftpservice.storage.errors import QuotaUnknown
from ftpservice.storage.quota.book import QuotaBook
from ftpservice.storage.quota.counted_tree import CountedTree
from ftpservice.storage.quota.ledgers.ledger import QuotaLimits
from ftpservice.storage.quota.ledgers.shared_counts import SharedCounts
from ftpservice.wire.paths import VirtualPath

if TYPE_CHECKING:  # the extra cluster may be missing
    from ftpservice.cluster.quotas.cluster_quotas import ClusterQuotas

__all__ = ["AskedQuotas", "QuotasOfWorkers"]

MAIN = 0
ROOM, KNOWN, BEGINS, ENDS = "quota room", "quota known", "quota count begins", "quota count ends"
COUNTED, FORGET = "quota counted", "quota forget"


class AskedQuotas:
    """What a worker asks for its trees."""

    def __init__(self, peers: PeerRequests) -> None:
        self._peers = peers
        self._is_alone = False
        """Whether the database did not answer, last."""

    async def _ask(self, name: str, tree: CountedTree, *values: Any) -> Any:
        """Return what the main process answers; None if it is gone."""
        try:
            return await self._peers.ask(MAIN, name, json.dumps(tree.place), *values)
        except PeerGone:
            return None

    async def obtain(self, tree: CountedTree, limits: QuotaLimits, size: int, files: int) -> bool:
        """Ask for room for so much more; tell whether there is more room now than before."""
        answer = await self._ask(ROOM, tree, limits.size, limits.files, size, files)
        has_more, self._is_alone = answer or (False, True)
        return bool(has_more)

    def check(
        self, tree: CountedTree, path: VirtualPath, limits: QuotaLimits, size: int, files: int
    ) -> None:
        """Raise `QuotaUnknown` if only the database is the reason why there is no room."""
        left = limits.left(*tree.ledger.used())
        needed = zip(left, (size, files), strict=True)
        if self._is_alone and all(one is None or one >= need for one, need in needed):
            raise QuotaUnknown(path, "the database of the cluster does not answer")

    async def is_known(self, tree: CountedTree) -> bool:
        """Tell whether the use is known without another count, and have it used."""
        return bool(await self._ask(KNOWN, tree))

    async def count_begins(self, tree: CountedTree, is_exclusive: bool) -> int | None:
        """Tell the other nodes; None if a node changes something, or does not answer."""
        return cast("int | None", await self._ask(BEGINS, tree, is_exclusive))

    async def count_ends(self, tree: CountedTree, ticket: int) -> bool:
        """Tell the other nodes; False if one of them has changed something."""
        return bool(await self._ask(ENDS, tree, ticket))

    def counted(self, tree: CountedTree, ticket: int) -> None:
        """Record what was counted, right after this process has accepted it."""
        shift = cast(SharedCounts, tree.counts).shift
        self._tell(COUNTED, tree, ticket, *shift)

    def forget(self, tree: CountedTree) -> None:
        """Forget a tree that nothing uses here, unless that changes meanwhile."""
        self._tell(FORGET, tree)

    def _tell(self, name: str, tree: CountedTree, *values: Any) -> None:
        Deferred.fromCoroutine(self._ask(name, tree, *values)).addErrback(_gone)


class QuotasOfWorkers:
    """Answers workers with the quotas of the main process."""

    def __init__(self, quotas: ClusterQuotas, book: QuotaBook, peers: PeerRequests) -> None:
        self._quotas = quotas
        self._book = book
        answers: dict[str, Callable[..., Awaitable[Any]]] = {
            ROOM: self._room,
            KNOWN: self._known,
            BEGINS: self._begins,
            ENDS: self._ends,
            COUNTED: self._counted,
            FORGET: self._forget,
        }
        for name, answer in answers.items():
            peers.answer(name, answer)

    def _tree(self, place: str) -> CountedTree:
        """Return a tree that a worker has announced."""
        self._book.directory.sync()
        return self._book.directory.tree(tuple(json.loads(place)))

    async def _room(
        self, place: str, size_limit: int | None, files_limit: int | None, size: int, files: int
    ) -> tuple[bool, bool]:
        limits = QuotaLimits(size_limit, files_limit)
        has_more = await self._quotas.obtain(self._tree(place), limits, size, files)
        return has_more, not self._quotas.rooms.is_connected

    async def _known(self, place: str) -> bool:
        return await self._quotas.is_known(self._tree(place))

    async def _begins(self, place: str, is_exclusive: bool) -> int | None:
        return await self._quotas.count_begins(self._tree(place), is_exclusive)

    async def _ends(self, place: str, ticket: int) -> bool:
        return await self._quotas.count_ends(self._tree(place), ticket)

    async def _counted(self, place: str, ticket: int, size: int, files: int) -> None:
        self._quotas.counted_with(self._tree(place), ticket, (size, files))

    async def _forget(self, place: str) -> None:
        self._quotas.forget(self._tree(place))


def _gone(failure: Failure) -> None:
    failure.trap(PeerGone)
