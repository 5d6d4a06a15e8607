"""Bans: addresses whose connections are refused at once, for a time or until they are lifted.

An address (of IPv6 the /64) collects points for failed logins; they drain over time. Beyond a
limit it is banned. Each further ban of the same address lasts twice as long, up to a maximum.
Administrators ban and unban networks as well. Networks of the allow list are never refused; those
of the deny list always are. A refused connection costs one look into a dictionary.

Lists and bans have an upper limit: the points that were collected longest ago, and the bans that
end first, are forgotten first. A ban costs the same with 10,000 others.
A process or node that has the same bans is told what has changed, and not all of them.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from heapq import heapify, heappop, heappush
from ipaddress import ip_network

from ftpservice.accounts.defence.networks import (
    Network,
    Networks,
    NetworkTable,
    address_group,
    client_address,
    network_set,
    parse_network,
)
from ftpservice.events import BanLifted, Banned, Event, LoginFailed, LoginRefusal
from ftpservice.wire.units import require_amounts

__all__ = ["Ban", "BanList", "BanRules", "ban_network", "parse_networks"]

POINTS = {
    LoginRefusal.WRONG_PASSWORD: 1.0,
    LoginRefusal.WRONG_FACTOR: 1.0,
    LoginRefusal.REFUSED: 1.0,
    LoginRefusal.UNKNOWN_NAME: 2.0,
}
"""For a failed login, by its reason; others do not mean that a password was guessed."""
DRAIN_SECONDS = 3600.0
"""Time in which the points of a whole ban drain, linearly."""
MAX_BAN_SECONDS = 7 * 86_400.0
REMEMBERED_SECONDS = 7 * 86_400.0
"""How long an ended ban makes the next one longer."""
MAX_SCORES = 10_000
MAX_BANS = 10_000
MAX_ENDS = 2 * MAX_BANS
"""Ends of bans, including those of bans that were replaced or lifted."""
AUTOMATIC_REASON = "too many failed logins"
DENIED_TEXT = "Connections from your address are not allowed."


@dataclass(frozen=True)
class BanRules:
    """When an address is banned by itself; raises `TypeError` or `ValueError` for no number."""

    limit: float = 0.0
    """Points; 0 for never."""
    seconds: float = 600.0
    """Duration of the first ban."""

    def __post_init__(self) -> None:
        require_amounts(self, float, "limit", "seconds")


@dataclass(frozen=True)
class Ban:
    """One ban. Times are seconds since the epoch."""

    network: Network
    reason: str
    since: float
    until: float = math.inf
    """``inf``: until it is lifted."""
    times: int = 1
    """How often the address was banned by itself lately."""


@dataclass(slots=True)
class Score:
    """The points of an address at a time."""

    points: float = 0.0
    updated: float = 0.0


class BanTable:
    """The bans by address, at most `MAX_BANS`; a change costs the same with many."""

    def __init__(self) -> None:
        self.bans: dict[str, Ban] = {}
        """By `address_group` or network."""
        self._ends: list[tuple[float, str]] = []
        """A heap of when each ban ends, with its key; some are no longer true."""
        self._wide = NetworkTable[Ban](())
        """Those of networks larger than what `address_group` returns."""

    def ban_of(self, peer: str, now: float) -> Ban | None:
        """Return the ban of an address that is in force."""
        found = [self.bans.get(address_group(peer))]
        found += self._wide.values_for(peer)
        return next((ban for ban in found if ban is not None and ban.until > now), None)

    def all(self) -> tuple[Ban, ...]:
        """Return all bans, also those that have ended and make the next one longer."""
        return tuple(self.bans.values())

    def ban_for(self, network: Network) -> Ban | None:
        """Return the ban of a network, also one that has ended."""
        return self.bans.get(_key(network))

    def load(self, bans: Iterable[Ban], now: float) -> None:
        """Take over bans in place of those that are there."""
        self.bans = {_key(ban.network): ban for ban in bans}
        self._wide = NetworkTable(
            (ban.network, ban) for ban in self.bans.values() if not _is_single(ban.network)
        )
        self._arrange_ends()
        self._forget_ended(now)

    def put(self, ban: Ban, now: float) -> str:
        """Add a ban, or replace the one of the same network; returns its key."""
        key = _key(ban.network)
        self.bans[key] = ban
        if not _is_single(ban.network):
            self._wide.put(ban.network, ban)
        heappush(self._ends, (ban.until, key))
        self._forget_ended(now)
        return key

    def remove(self, key: str) -> Ban | None:
        """Remove a ban; returns it."""
        ban = self.bans.pop(key, None)
        if ban is not None and not _is_single(ban.network):
            self._wide.discard(ban.network)
        return ban

    def _forget_ended(self, now: float) -> None:
        """Forget old bans, and those that end first of too many."""
        ends, bans = self._ends, self.bans
        while ends and (ends[0][0] <= now - REMEMBERED_SECONDS or len(bans) > MAX_BANS):
            until, key = heappop(ends)
            ban = bans.get(key)
            if ban is not None and ban.until == until:
                self.remove(key)
        if len(ends) > MAX_ENDS:
            self._arrange_ends()

    def _arrange_ends(self) -> None:
        self._ends = [(ban.until, key) for key, ban in self.bans.items()]
        heapify(self._ends)


class BanList:
    """Decides which connections are refused, and counts failed logins.

    ``seconds`` returns the time since the epoch.
    """

    has_entries = False
    """Whether any connection may be refused."""
    save: Callable[[Sequence[Ban]], object] | None = None
    """Called with all bans after each change."""
    publish: Callable[[Event], object] = bool
    """Called with `Banned` and `BanLifted`."""
    tell: Callable[[Sequence[Ban], Sequence[Network]], object] | None = None
    """Called after each change but `load`, with the bans that are new and the networks that have
    none any more, for the `change` of another process."""

    def __init__(self, seconds: Callable[[], float], rules: BanRules) -> None:
        self._seconds = seconds
        self.rules = rules
        self.table = BanTable()
        """The bans, for others to read."""
        self._allowed = self._denied = network_set(())
        self._scores: OrderedDict[str, Score] = OrderedDict()

    def count_failure(self, event: Event) -> None:
        """Count a failed login; a subscriber of `LoginFailed`."""
        if isinstance(event, LoginFailed) and (points := POINTS.get(event.reason)):
            self.add_points(event.peer, points)

    def use_networks(self, allowed: Networks, denied: Networks) -> None:
        """Set the networks that are never refused, and those that always are.

        Thousands take a moment to arrange; what `network_set` returns, in a thread, does not.
        """
        self._allowed, self._denied = network_set(allowed), network_set(denied)
        self._note_entries()

    def refusal(self, peer: str) -> str | None:
        """Return why a connection from ``peer`` is refused; None if it is not."""
        if self._allowed.values_for(peer):
            return None
        if self._denied.values_for(peer):
            return DENIED_TEXT
        ban = self.table.ban_of(peer, self._seconds())
        return None if ban is None else _refusal_text(ban)

    def add_points(self, peer: str, points: float) -> None:
        """Count points of an address, and ban it beyond the limit."""
        limit, address = self.rules.limit, client_address(peer)
        if not limit or address is None or address.is_loopback:
            return
        if self._allowed.values_for(peer):
            return
        key, now = address_group(peer), self._seconds()
        score = self._scores.setdefault(key, Score(updated=now))
        self._scores.move_to_end(key)
        drained = max(0.0, now - score.updated) / DRAIN_SECONDS * limit
        score.points, score.updated = max(0.0, score.points - drained) + points, now
        if score.points > limit - 1:  # some have drained since the first
            del self._scores[key]
            self._ban_address(key, now)
        while len(self._scores) > MAX_SCORES:
            self._scores.popitem(last=False)

    def _ban_address(self, key: str, now: float) -> None:
        before = self.table.bans.get(key)
        times = 1 if before is None else before.times + 1
        seconds = min(MAX_BAN_SECONDS, self.rules.seconds * 2.0 ** min(times - 1, 32))
        if before is not None and before.until >= now + seconds:
            return  # an administrator's, while a login was in progress
        self._put(Ban(ip_network(key), AUTOMATIC_REASON, now, now + seconds, times))

    def ban(self, network: Network, seconds: float | None = None, reason: str = "") -> Ban:
        """Ban a network, of IPv6 at least the /64, for ``seconds`` or until it is lifted."""
        if not isinstance(network, Network):
            raise TypeError(f"network is an IPv4Network or IPv6Network, not {network!r}")
        now = self._seconds()
        until = math.inf if seconds is None else now + seconds
        ban = Ban(ban_network(network), reason or "by an administrator", now, until)
        self._put(ban)
        return ban

    def unban(self, network: Network) -> bool:
        """Lift the ban of a network; returns whether there was one. Its points are forgotten."""
        key = _key(network)
        self._scores.pop(key, None)
        ban = self.table.remove(key)
        self._changed((), (network,))
        is_lifted = ban is not None and ban.until > self._seconds()
        if is_lifted:
            self.publish(BanLifted(self._seconds(), 0, "", "", str(network)))
        return is_lifted

    def bans(self) -> list[Ban]:
        """Return the bans in force, the oldest first."""
        now = self._seconds()
        return sorted(
            (ban for ban in self.table.bans.values() if ban.until > now), key=lambda ban: ban.since
        )

    @property
    def count(self) -> int:
        """The number of bans in force."""
        now = self._seconds()
        return sum(ban.until > now for ban in self.table.bans.values())

    def load(self, bans: Iterable[Ban]) -> None:
        """Take over the bans of an earlier run or of another process, in place of these."""
        self.table.load(bans, self._seconds())
        for key in self.table.bans.keys() & self._scores.keys():
            del self._scores[key]
        self._changed((), ())

    def change(self, bans: Sequence[Ban], ended: Sequence[Network] = ()) -> None:
        """Take over what has changed in another process or node; publishes nothing."""
        now = self._seconds()
        for network in ended:
            self.table.remove(_key(network))
        for ban in bans:
            self._scores.pop(self.table.put(ban, now), None)
        if bans or ended:
            self._changed(bans, ended)

    def _put(self, ban: Ban) -> None:
        self.table.put(ban, self._seconds())
        self._changed((ban,), ())
        until = None if ban.until == math.inf else ban.until
        self.publish(Banned(self._seconds(), 0, "", "", str(ban.network), ban.reason, until))

    def _changed(self, bans: Sequence[Ban], ended: Sequence[Network]) -> None:
        self._note_entries()
        if self.save is not None:
            self.save(self.table.all())
        if self.tell is not None and (bans or ended):
            self.tell(bans, ended)

    def _note_entries(self) -> None:
        self.has_entries = bool(self.table.bans or self._denied)


def _is_single(network: Network) -> bool:
    """Return whether a network is one key of `address_group`."""
    return network.prefixlen == (32 if network.version == 4 else 64)


def ban_network(network: Network) -> Network:
    """Return the network that is banned for one, of IPv6 at least the /64."""
    return ip_network(_key(network))


def _key(network: Network) -> str:
    """Return the key of a ban: that of `address_group`, if the network is one."""
    if network.version == 6 and network.prefixlen > 64:
        network = network.supernet(new_prefix=64)
    is_address = network.version == 4 and network.prefixlen == 32
    return str(network.network_address) if is_address else str(network)


def _refusal_text(ban: Ban) -> str:
    if ban.until == math.inf:
        return f"Your address is banned: {ban.reason}."
    until = datetime.fromtimestamp(ban.until, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return f"Your address is banned until {until}: {ban.reason}."


def parse_networks(text: str) -> tuple[Network, ...]:
    """Return the networks of a file, one a line with comments after ``#``; raises `ValueError`."""
    found: list[Network] = []
    for number, line in enumerate(text.splitlines(), 1):
        if word := line.partition("#")[0].strip():
            try:
                found.append(parse_network(word))
            except ValueError as error:
                raise ValueError(f"line {number}: {error}") from None
    return tuple(found)
