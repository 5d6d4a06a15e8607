"""The rates of users in a node with workers: each process has its part, as each node has.

Workers tell the main process what they use; it passes that on to the other workers, and to the
other nodes. While it is replaced by another program, all use what they did before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from ftpservice.cluster.cluster_rates import RATES, ClusterRateLimiters, in_messages
from ftpservice.session.shared.peer_requests import PeerGone, PeerRequests

if TYPE_CHECKING:  # the extra cluster may be missing
    from ftpservice.cluster.cluster_node import ClusterNode

__all__ = ["RateLinkOfWorker", "RatesOfWorkers"]

MAIN = 0
USED, HEARD = "rates in use", "rates in use elsewhere"
SILENT_SECONDS = 1.5
"""Without an answer of the main process for so long, nobody can be heard."""
HANDOVER_SECONDS = 30.0
"""How long another program may take to tell again what the workers use."""


class RateLinkOfWorker:
    """Tells the main process what the worker of a column uses."""

    tells_alone = True

    def __init__(self, run: str, column: int, peers: PeerRequests, clock: IReactorTime) -> None:
        self.run = f"{run}/{column}"
        self.is_connected, self.nodes = True, 1
        self._peers = peers
        self._clock = clock
        self._asked_at: float | None = None
        """When the main process was asked that has not answered since; None: it has."""

    def heard_until(self, now: float) -> float:
        """Return until when others could be heard, at most ``now``."""
        return now if self._asked_at is None else min(now, self._asked_at + SILENT_SECONDS)

    def hear(self, received: Callable[[Mapping[str, Any]], object]) -> None:
        """Call a function with what others tell."""

        async def heard(sender: str, keys: Sequence[Any], seconds: float = 0.0) -> None:
            received({"kind": RATES, "from": sender, "keys": keys, "seconds": seconds})

        self._peers.answer(HEARD, heard)

    def tell_rates(self, keys: Sequence[Any]) -> None:
        """Tell all others which limits are in use."""
        if self._asked_at is None:
            self._asked_at = self._clock.seconds()
        asking = Deferred.fromCoroutine(self._peers.ask(MAIN, USED, self.run, list(keys)))
        asking.addCallbacks(self._told, self._not_told)

    def _told(self, status: tuple[bool, int]) -> None:
        self._asked_at = None
        self.is_connected, self.nodes = status

    def _not_told(self, failure: Failure) -> None:
        self._asked_at = None
        _gone(failure)


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
        node.before_closing.append(self._hand_over)

    def _received(self, message: Mapping[str, Any]) -> None:
        if message["kind"] == RATES:
            seconds = message.get("seconds", 0.0)
            self._pass_on(str(message["from"]), message["keys"], *([seconds] if seconds else []))

    async def _hand_over(self) -> None:
        """Have the other nodes know what the workers use until another program tells it."""
        if not self._node.is_handed_over:
            return
        in_use = self._limiters.in_use_by(f"{self._node.facts.run}/")
        for sender, keys in in_use.items():
            for part in in_messages(keys):
                facts = {"keys": part, "from": sender, "seconds": HANDOVER_SECONDS}
                await self._node.tell(RATES, **facts)

    async def _used(self, sender: str, keys: Sequence[Any]) -> tuple[bool, int]:
        self._limiters.received({"kind": RATES, "from": sender, "keys": keys})
        self._pass_on(sender, keys)
        if self._node.is_connected:
            self._node.tell(RATES, **{"keys": list(keys), "from": sender})
        return self._node.is_connected, self._node.status.nodes

    def _pass_on(self, sender: str, keys: Sequence[Any], *more: float) -> None:
        plain = [tuple(key) for key in keys]
        for column in self._columns():
            if not sender.endswith(f"{self._node.facts.run}/{column}"):
                asking = Deferred.fromCoroutine(
                    self._peers.ask(column, HEARD, sender, plain, *more)
                )
                asking.addErrback(_gone)


def _gone(failure: Failure) -> None:
    failure.trap(PeerGone)
