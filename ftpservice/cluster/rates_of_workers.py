"""The rates of users in a node with workers: each process has its part, as each node has.

Workers tell the main process what they use; it passes that on to the other workers, and to the
other nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from ftpservice.cluster.cluster_rates import RATES, ClusterRateLimiters
from ftpservice.session.shared.peer_requests import PeerGone, PeerRequests

if TYPE_CHECKING:  # the extra cluster may be missing
    from ftpservice.cluster.cluster_node import ClusterNode

__all__ = ["RateLinkOfWorker", "RatesOfWorkers"]

MAIN = 0
USED, HEARD = "rates in use", "rates in use elsewhere"


class RateLinkOfWorker:
    """Tells the main process what the worker of a column uses."""

    tells_alone = True

    def __init__(self, run: str, column: int, peers: PeerRequests) -> None:
        self.run = f"{run}/{column}"
        self.is_connected, self.nodes = True, 1
        self._peers = peers

    def hear(self, received: Callable[[Mapping[str, Any]], object]) -> None:
        """Call a function with what others tell."""

        async def heard(sender: str, keys: Sequence[Any]) -> None:
            received({"kind": RATES, "from": sender, "keys": keys})

        self._peers.answer(HEARD, heard)

    def tell_rates(self, keys: Sequence[Any]) -> None:
        """Tell all others which limits are in use."""
        asking = Deferred.fromCoroutine(self._peers.ask(MAIN, USED, self.run, list(keys)))
        asking.addCallbacks(self._told, _gone)

    def _told(self, status: tuple[bool, int]) -> None:
        self.is_connected, self.nodes = status


class RatesOfWorkers:
    """Passes on what processes and nodes tell; ``columns`` are those of the workers that run."""

    def __init__(
        self,
        node: ClusterNode,
        limiters: ClusterRateLimiters,
        peers: PeerRequests,
        columns: Callable[[], Iterable[int]],
    ) -> None:
        self._node = node
        self._limiters = limiters
        self._peers = peers
        self._columns = columns
        peers.answer(USED, self._used)
        node.receivers.append(self._received)

    def _received(self, message: Mapping[str, Any]) -> None:
        if message["kind"] == RATES:
            self._pass_on(str(message["from"]), message["keys"])

    async def _used(self, sender: str, keys: Sequence[Any]) -> tuple[bool, int]:
        self._limiters.received({"kind": RATES, "from": sender, "keys": keys})
        self._pass_on(sender, keys)
        if self._node.is_connected:
            self._node.tell(RATES, **{"keys": list(keys), "from": sender})
        return self._node.is_connected, self._node.status.nodes

    def _pass_on(self, sender: str, keys: Sequence[Any]) -> None:
        plain = [tuple(key) for key in keys]
        for column in self._columns():
            if not sender.endswith(f"{self._node.facts.run}/{column}"):
                asking = Deferred.fromCoroutine(self._peers.ask(column, HEARD, sender, plain))
                asking.addErrback(_gone)


def _gone(failure: Failure) -> None:
    failure.trap(PeerGone)
