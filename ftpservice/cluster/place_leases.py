"""The places for sessions that a node holds, as leases of its cluster.

A *key* is a kind and a name: all sessions, those of an address, those of a user. The database has
how many places of a key each node holds; together they never exceed the limit. The rules:

- A place that is held is taken without a question. Otherwise sessions wait for a claim: what is
  asked while one is under way goes into the next one, so a node asks once at a time.
- The database gives some places more than are asked for while the limit is far. They are given back
  when they are not used for a while, or when another node lacks one.
- While a claim is under way, only what it says is used is taken: what it gives back may be another
  node's already.
- A lease is valid until the node counts as gone at the database. Beyond that, and whenever the
  database does not answer, the node hands out its share of a limit: the limit divided by the nodes
  that were alive last, at least one. What is left over goes to nodes by their rank, which differs
  from key to key. Sessions that have begun go on, whatever their number.
- When the database answers again, the node claims what it uses, and that is counted even beyond the
  limit. Until then it takes nothing, and answers to earlier claims say nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol
from zlib import crc32

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from ftpservice.cluster.cluster_statements import Claim, Grant

__all__ = ["Claims", "HeldPlaces", "PlaceLeases", "ShareRule"]

MAX_CLAIMS = 500
"""Keys in one question to the database."""
RETRY_SECONDS = (0.05, 0.2, 0.5, 1.0)
"""How long to wait for places that another node does not use, before each further claim. It gives
them back within milliseconds, unless it has no processor for a moment or is gone."""
UNUSED_SECONDS = 5.0
"""How long places are kept for a key that has no session."""

Key = tuple[str, str]


class Claims(Protocol):
    """Asks the database; fails if it does not answer."""

    def __call__(self, claims: Sequence[Claim], /) -> Deferred[list[Grant]]:
        """Return what each claim has got."""


@dataclass(frozen=True)
class ShareRule:
    """What a node may hand out alone: it is number ``rank`` of ``nodes``."""

    nodes: int = 1
    rank: int = 0

    def share(self, key: Key, limit: int) -> int:
        """Return the places of a key."""
        whole, rest = divmod(limit, self.nodes)
        position = (self.rank + crc32(repr(key).encode())) % self.nodes
        return max(1, whole + (position < rest))


@dataclass(slots=True)
class HeldPlaces:
    """What a node holds of a key."""

    limit: int
    places: int = 0
    spare: int = 0
    """How many of them were not needed when they came."""
    waiting: deque[Deferred[bool]] = field(default_factory=deque)
    tries: int = 0
    """Claims so far that lacked places which other nodes do not use."""
    unused_since: float | None = None
    was_claimed: bool = False
    """Whether the database may have places of the key for this node."""

    def claim(self, key: Key, used: int) -> Claim:
        """Return a claim; no more than is used is taken until it is answered."""
        self.places, self.was_claimed = min(self.places, used), True
        return Claim(*key, used, used + len(self.waiting), self.limit)

    def wake(self, count: int, is_served: bool) -> None:
        """Let the first of those who wait go on."""
        for _ in range(min(count, len(self.waiting))):
            self.waiting.popleft().callback(is_served)


class PlaceLeases:
    """The leases of a node; ``used`` returns its sessions of a key, ``ask`` the database."""

    lacks: Callable[[Key], object] = bool
    """Called with a key of which other nodes have unused places."""
    failed: Callable[[Failure], object] = bool
    """Called when a claim fails."""

    def __init__(self, used: Callable[[Key], int], ask: Claims, clock: IReactorTime) -> None:
        self._used = used
        self._ask = ask
        self._clock = clock
        self.holdings: dict[Key, HeldPlaces] = {}
        """What this node holds, or has asked for."""
        self._due: dict[Key, None] = {}
        """What the next claim is about, in order."""
        self._is_asking = False
        self._terms = 0
        """How often the leases have become valid: a grant is good for one term."""
        self._flush_due: IDelayedCall | None = None
        self._valid_until = 0.0
        self._is_known = False
        """Whether it is known if the database answers; not at the very start."""
        self.rule = ShareRule()
        """What holds while the leases are not valid."""

    @property
    def is_valid(self) -> bool:
        """Whether the database counts this node as alive."""
        return self._clock.seconds() < self._valid_until

    def renewed(self, until: float, rule: ShareRule, was_alive: bool) -> None:
        """Note that the leases are valid, until a time of the clock.

        Unless the node ``was_alive`` all along, its places have to be claimed again.
        """
        is_new = not self.is_valid or not was_alive
        self._valid_until, self.rule, self._is_known = until, rule, True
        if is_new:
            self._terms += 1
            for holding in self.holdings.values():
                holding.places = holding.spare = 0
            self._due.update(dict.fromkeys(self.holdings))
        self._give_back_unused()
        self._flush_soon()

    def suspend(self) -> None:
        """Note that the database does not answer: the shares of this node hold from now on."""
        self._valid_until, self._is_known = 0.0, True
        self._due.clear()
        for holding in tuple(self.holdings.values()):
            holding.wake(len(holding.waiting), True)

    def in_use(self) -> dict[str, tuple[int, int]]:
        """Return, by kind, the places that this node holds, and how many of them are used."""
        found: dict[str, tuple[int, int]] = {}
        for (kind, name), holding in self.holdings.items():
            places, used = found.get(kind, (0, 0))
            found[kind] = places + holding.places, used + self._used((kind, name))
        return found

    def may_take(self, key: Key, limit: int) -> bool:
        """Return whether there is a place for one more session, without a question."""
        if limit <= 0:
            return True
        holding, used = self.holdings.get(key), self._used(key)
        if not self._is_known:
            return False
        if not self.is_valid:
            if used >= self.rule.share(key, limit):
                return False
            if holding is None:
                self.holdings[key] = HeldPlaces(limit)
            return True
        return holding is not None and used < min(holding.places, limit)

    async def wait_for_place(self, key: Key, limit: int) -> bool:
        """Ask for a place; return whether `may_take` is worth asking again, at once."""
        if self._is_known and not self.is_valid:
            return True
        holding = self.holdings.setdefault(key, HeldPlaces(limit))
        holding.limit = limit
        place: Deferred[bool] = Deferred(holding.waiting.remove)
        holding.waiting.append(place)
        self._claim_soon(key)
        return await place

    def released(self, key: Key) -> None:
        """Note that a session has ended, after it was counted."""
        holding = self.holdings.get(key)
        if holding is None:
            return
        if not self.is_valid:
            if not (holding.was_claimed or holding.waiting or self._used(key)):
                del self.holdings[key]
            return
        if holding.places - self._used(key) > 2 * holding.spare:
            self._claim_soon(key)

    def give_back(self, key: Key) -> None:
        """Give back what is not used of a key, which another node lacks."""
        holding = self.holdings.get(key)
        if holding is not None and holding.places > self._used(key):
            holding.spare = 0
            self._claim_soon(key)

    def _give_back_unused(self) -> None:
        """Give back the places of keys without a session."""
        now = self._clock.seconds()
        for key, holding in tuple(self.holdings.items()):
            if holding.waiting or self._used(key):
                holding.unused_since = None
            elif not holding.places:
                if not self._is_asking and key not in self._due:  # the database has none, either
                    del self.holdings[key]
            elif holding.unused_since is None:
                holding.unused_since = now
            elif now - holding.unused_since >= UNUSED_SECONDS:
                self._due[key] = None

    def _flush_soon(self) -> None:
        if self._due and self._flush_due is None and not self._is_asking and self.is_valid:
            self._flush_due = self._clock.callLater(0, self._flush)

    def _flush(self) -> None:
        self._flush_due = None
        if not self.is_valid:
            self.suspend()
            return
        if self._is_asking:
            return
        keys = [key for key in islice(self._due, MAX_CLAIMS) if key in self.holdings]
        for key in tuple(islice(self._due, MAX_CLAIMS)):
            del self._due[key]
        if not keys:
            return
        claims = [self.holdings[key].claim(key, self._used(key)) for key in keys]
        self._is_asking = True
        self._ask(claims).addBoth(self._answered, claims, self._terms)

    def _answered(self, answer: list[Grant] | Failure, claims: Sequence[Claim], term: int) -> None:
        self._is_asking = False
        if isinstance(answer, Failure) or not self.is_valid:
            self.suspend()
            if isinstance(answer, Failure):
                self.failed(answer)
            return
        if term != self._terms:
            self._flush_soon()  # all is due
            return
        for one, grant in zip(claims, answer, strict=True):
            key = (one.kind, one.name)
            holding = self.holdings.get(key)
            if holding is not None:
                holding.places = grant.places
                holding.spare = max(0, grant.places - one.needed)
                self._serve(key, holding, one, grant)
        self._flush_soon()

    def _serve(self, key: Key, holding: HeldPlaces, asked: Claim, grant: Grant) -> None:
        """Let those go on who waited when a claim was made."""
        count = asked.needed - asked.used
        served = min(count, max(0, grant.places - self._used(key)))
        if served < count and grant.is_elsewhere and holding.tries < len(RETRY_SECONDS):
            seconds = RETRY_SECONDS[holding.tries]
            holding.tries += 1
            self.lacks(key)
            self._clock.callLater(seconds, self._claim_soon, key)
            count = served
        else:
            holding.tries = 0
        if count > len(holding.waiting):  # some of them wait no more
            self._due[key] = None
        holding.wake(served, True)
        holding.wake(count - served, False)
        if not holding.places and not holding.waiting and not self._used(key):
            self.holdings.pop(key, None)

    def _claim_soon(self, key: Key) -> None:
        """Ask about a key with what else is under way now: much of it may be about one key."""
        if key in self.holdings:
            self._due[key] = None
            self._flush_soon()
