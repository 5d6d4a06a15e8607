"""What the nodes of a cluster tell each other about trees: which there are, and who lacks room."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from ftpservice.cluster.cluster_calls import UNANSWERED
from ftpservice.cluster.cluster_node import ClusterNode
from ftpservice.cluster.quotas.quota_statements import known_trees
from ftpservice.cluster.quotas.tree_rooms import TreeRooms
from ftpservice.storage.errors import Busy
from ftpservice.storage.quota.book import QuotaBook
from ftpservice.storage.quota.counted_tree import ledger_text
from ftpservice.storage.quota.ledgers.ledger import Place
from ftpservice.storage.quota.ledgers.tree_record import POLL_SECONDS, RecordLocked

__all__ = ["TreeExchange"]

log = Logger("ftpservice.cluster")

LACKS, CHANGED, TREES = "quota lacks", "quota changed", "quota trees"
"""Messages: a node lacks room of a tree; the use of trees has changed; there are other trees."""
MAX_TOLD = 500
"""Trees in a message."""
MAX_AT_ONCE = 100
"""Trees that are made known before the reactor turns to other events."""


class KnownTree(NamedTuple):
    """A tree of the database, and its roots in JSON."""

    number: int
    place: Place
    roots: str


class TreeExchange:
    """Makes the trees of other nodes known to ``book``: changes here are charged to them."""

    def __init__(
        self, node: ClusterNode, book: QuotaBook, rooms: TreeRooms, clock: IReactorTime
    ) -> None:
        self._node = node
        self._book = book
        self._rooms = rooms
        self._clock = clock
        self._loading_again: IDelayedCall | None = None
        self._is_loading = self._loads_once_more = self._is_closed = False
        self._loaded: dict[str, KnownTree] = {}
        """What the database had the last time."""
        self._handlers: dict[str, Callable[[Mapping[str, Any]], object]] = {
            LACKS: self._lacked_elsewhere,
            CHANGED: self._changed_elsewhere,
            TREES: lambda _message: self.load_soon(),
        }
        rooms.changed = self._tell_changed
        rooms.is_new = lambda: node.tell(TREES)
        node.receivers.append(self._received)

    def tell_lack(self, number: int) -> None:
        """Have the other nodes give back what they do not use of a tree."""
        self._node.tell(LACKS, tree=number)

    def _load_again(self) -> None:
        self._loading_again = None
        self.load_soon()

    def close(self) -> None:
        """Make nothing known any more."""
        self._is_closed = True
        if self._loading_again is not None:
            self._loading_again.cancel()
            self._loading_again = None

    def load_soon(self) -> None:
        """Make the trees known that other nodes have; once for all that ask meanwhile."""
        if self._is_loading:
            self._loads_once_more = True
            return
        self._is_loading, self._loads_once_more = True, False
        loading = Deferred.fromCoroutine(self.load()).addErrback(_unanswered)
        loading.addErrback(lambda failure: log.failure("the trees cannot be loaded", failure))
        loading.addCallback(self._load_once_more)

    def _load_once_more(self, _none: object) -> None:
        self._is_loading = False
        if self._loads_once_more and not self._is_closed:
            self.load_soon()

    async def load(self) -> None:
        """Do that, and wait for it; what is known already takes no time."""
        loaded: dict[str, KnownTree] = {}
        new: list[tuple[str, KnownTree]] = []
        for number, place_text, roots_text in await self._node.claims.run(known_trees):
            known = self._loaded.get(place_text)
            if known is not None and self._is_known(known, number, roots_text):
                loaded[place_text] = known
            else:
                place: Place = tuple(json.loads(place_text))
                new.append((place_text, KnownTree(number, place, roots_text)))
        self._loaded = loaded
        for count, (place_text, tree) in enumerate(new):
            if count and count % MAX_AT_ONCE == 0:
                await deferLater(self._clock, 0)
                if self._is_closed:
                    return
            if self._learn(tree):
                loaded[place_text] = tree

    def _is_known(self, known: KnownTree, number: int, roots: str) -> bool:
        """Tell whether a tree is as it was, and not forgotten here since."""
        leased = self._rooms.trees.get(known.place)
        is_same = known.number == number and known.roots == roots
        return (
            is_same
            and leased is not None
            and leased.number == number
            and self._book.trees.get(known.place) is leased.tree
        )

    def _learn(self, known: KnownTree) -> bool:
        """Make a tree known; tell whether it is, with all its roots."""
        place, is_complete = known.place, True
        try:
            for root in map(tuple, json.loads(known.roots)):
                self._add(place, root)
        except RecordLocked:  # until then, changes here are not charged to it
            is_complete = False
            if self._loading_again is None:
                self._loading_again = self._clock.callLater(POLL_SECONDS, self._load_again)
        except Busy as error:
            is_complete = False
            log.error("quota of {name}: {error}", name=ledger_text(place), error=error)
        tree = self._book.trees.get(place)
        if tree is not None:
            self._rooms.of(tree).number = known.number
        return is_complete

    def _add(self, place: Place, root: Place) -> None:
        """Have a ledger count what is below a directory; raises `Busy`."""
        tree = self._book.trees.get(place)
        if tree is None or root not in tree.roots:
            with self._book.directory.telling(place, root) as tell:
                tell(("root", place, root))

    def _tell_changed(self, numbers: Sequence[int]) -> None:
        for begin in range(0, len(numbers), MAX_TOLD):
            self._node.tell(CHANGED, trees=numbers[begin : begin + MAX_TOLD])

    def _received(self, message: dict[str, Any]) -> None:
        handler = self._handlers.get(message["kind"])
        if handler is not None and message["from"] != self._node.facts.run:
            handler(message)

    def _lacked_elsewhere(self, message: Mapping[str, Any]) -> None:
        leased = self._rooms.numbered(message["tree"])
        if leased is not None:
            leased.gives_up = True
            self._rooms.ask_soon(leased)

    def _changed_elsewhere(self, message: Mapping[str, Any]) -> None:
        changed = set(message["trees"])
        for leased in self._rooms.trees.values():
            if leased.number in changed:
                leased.is_stale = True


def _unanswered(failure: Failure) -> None:
    failure.trap(*UNANSWERED)
