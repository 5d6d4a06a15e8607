"""Rate limits of users over the nodes of a cluster.

Each node with transfers of a user has an even part of the rate; of a node with several processes,
each process has. A node tells the others by NOTIFY which limits its transfers use, at once for the
first transfer and then once a second; one that has told nothing for three seconds uses a limit no
more; before another program takes the place of its main process, it has the others wait longer.
Until a message has arrived, which takes some milliseconds, the parts can be more than the
rate together. While the database is away, the part is the rate divided by the nodes that were alive
last.
"""

from __future__ import annotations

import json
from collections import OrderedDict, deque
from collections.abc import Hashable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol, cast

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ftpservice.stream.rate_limit import RateLimiter, SharedRateLimiters

if TYPE_CHECKING:  # the extra cluster may be missing
    from ftpservice.cluster.cluster_node import ClusterNode

__all__ = ["RATES", "ClusterRateLimiters", "NodeRateLink", "in_messages"]

RATES = "rates"
TELL_SECONDS = 1.0
FRESH_SECONDS = 3.0
"""How long what a node has told is true."""
KEYS_PER_MESSAGE, MAX_KEYS_LENGTH = 50, 7500
"""A message of NOTIFY has less than 8,000 bytes; a letter beyond ASCII takes six of them."""
MAX_KEY_LENGTH = 130
"""A longer name counts on each node for itself."""
KEYS_PER_TURN = 500
"""Limits that are looked at in one turn of the reactor."""
MAX_HEARD = 20_000

Key = tuple[str, bool]
"""An account's name and whether the limit is of its uploads."""


class RateLink(Protocol):
    """How a process tells others what it uses."""

    run: str
    """The name under which it tells that; the processes of a node begin with the same."""
    tells_alone: bool
    """Whether there are others to be told while the database is away."""

    @property
    def is_connected(self) -> bool:
        """Whether all others hear it."""

    @property
    def nodes(self) -> int:
        """The number of nodes."""

    def heard_until(self, now: float) -> float:
        """Return until when others could be heard, at most ``now``."""

    def tell_rates(self, keys: Sequence[Any]) -> None:
        """Tell which limits are in use."""


class NodeRateLink:
    """Tells the other nodes."""

    tells_alone = False

    def __init__(self, node: ClusterNode) -> None:
        self._node = node
        self.run = node.facts.run

    @property
    def is_connected(self) -> bool:
        """Whether the database answers."""
        return self._node.is_connected

    @property
    def nodes(self) -> int:
        """The nodes that were alive at the last answer."""
        return self._node.status.nodes

    def heard_until(self, now: float) -> float:
        """Return ``now``: without the database another rule holds."""
        return now

    def tell_rates(self, keys: Sequence[Any]) -> None:
        """Tell which limits are in use."""
        self._node.tell(RATES, keys=keys)


class ClusterRateLimiters(SharedRateLimiters):
    """Rate limiters by account and direction, each with the part of this process."""

    def __init__(self, link: RateLink, clock: IReactorTime) -> None:
        super().__init__(clock)
        self._link = link
        self._full: dict[Key, float] = {}
        """The rates of all nodes together."""
        self._heard: OrderedDict[Key, dict[str, float]] = OrderedDict()
        """When each other process has told that it uses a limit."""
        self._new: dict[Key, None] = {}
        self._new_due: IDelayedCall | None = None
        self._round: deque[Key] = deque()
        """The limits that have not been told of in this second."""
        self._round_due: IDelayedCall | None = None

    def join(self, key: Hashable, rate: float) -> RateLimiter:
        """Return the rate limiter of ``key``; its rate is this node's part of ``rate``."""
        own = cast(Key, key)
        if own not in self._full:
            self._new[own] = None
            if self._new_due is None:
                self._new_due = self._clock.callLater(0, self._tell_new)
            if self._round_due is None:
                self._round_due = self._clock.callLater(TELL_SECONDS, self._tell_round)
        self._full[own] = rate
        return super().join(own, self._part(own))

    def leave(self, key: Hashable) -> None:
        """Undo one `join`."""
        super().leave(key)
        if key not in self._uses:
            del self._full[cast(Key, key)]

    def _part(self, key: Key) -> float:
        link, now = self._link, self._link.heard_until(self._clock.seconds())
        heard = self._heard.get(key, {})
        fresh = [sender for sender, told in heard.items() if now - told < FRESH_SECONDS]
        others = len(fresh)
        if not link.is_connected:
            own = link.run.partition("/")[0]
            others = link.nodes - 1 + sum(one.partition("/")[0] == own for one in fresh)
        return self._full[key] / (1 + others)

    def received(self, message: Mapping[str, Any]) -> None:
        """Take a message of a node."""
        sender = message["from"]
        if message["kind"] != RATES or sender == self._link.run:
            return
        told = self._clock.seconds() + float(message.get("seconds", 0.0))
        for name, is_upload in message["keys"]:
            key = (str(name), bool(is_upload))
            self._heard.setdefault(key, {})[sender] = told
            self._heard.move_to_end(key)
            self._adjust(key)
        while len(self._heard) > MAX_HEARD:
            self._heard.popitem(last=False)

    def _adjust(self, key: Key) -> None:
        use = self._uses.get(key)
        if use is not None and use.throttle.rate != (part := self._part(key)):
            use.throttle.rate = part

    def _tell_new(self) -> None:
        """Tell at once which limits have come into use."""
        self._new_due = None
        new = tuple(islice(self._new, KEYS_PER_TURN))
        for key in new:
            del self._new[key]
        self._tell([key for key in new if key in self._full])
        if self._new:
            self._new_due = self._clock.callLater(0, self._tell_new)

    def _tell_round(self) -> None:
        """Tell which limits are in use, some in each turn, once a second."""
        if not self._round:
            self._round.extend(self._full)
        turn = [self._round.popleft() for _ in range(min(KEYS_PER_TURN, len(self._round)))]
        known = [key for key in turn if key in self._full]
        self._tell([key for key in known if not self._uses[key].throttle.is_idle])
        for key in known:
            self._adjust(key)
        self._round_due = None
        if self._round:
            self._round_due = self._clock.callLater(0, self._tell_round)
            return
        self._forget_old()
        if self._full:
            self._round_due = self._clock.callLater(TELL_SECONDS, self._tell_round)

    def _tell(self, keys: Sequence[Key]) -> None:
        """Tell that limits are in use."""
        if self._link.is_connected or self._link.tells_alone:
            for part in in_messages([key for key in keys if _is_short(key)]):
                self._link.tell_rates(part)

    def in_use_by(self, start: str) -> dict[str, list[Key]]:
        """Return what others use by the name under which they tell it, which has this beginning."""
        found: dict[str, list[Key]] = {}
        old = self._clock.seconds() - FRESH_SECONDS
        for key, heard in self._heard.items():
            for sender, told in heard.items():
                if told > old and sender.startswith(start):
                    found.setdefault(sender, []).append(key)
        return found

    def _forget_old(self) -> None:
        old = self._link.heard_until(self._clock.seconds()) - FRESH_SECONDS
        while self._heard:
            key, heard = next(iter(self._heard.items()))
            if max(heard.values()) > old:
                return
            del self._heard[key]


def _is_short(key: Key) -> bool:
    return len(key[0].encode("utf-8", "surrogateescape")) <= MAX_KEY_LENGTH


def in_messages(keys: Sequence[Key]) -> Iterator[list[Key]]:
    """Yield the keys in parts that fit into a message of NOTIFY."""
    part: list[Key] = []
    size = 0
    for key in keys:
        length = len(json.dumps(key))
        if part and (len(part) == KEYS_PER_MESSAGE or size + length > MAX_KEYS_LENGTH):
            yield part
            part, size = [], 0
        part.append(key)
        size += length + 2
    if part:
        yield part
