"""What the statements of a cluster do to its tables, without a database.

`beat`, `claim`, `leave` and `forget_gone` of `ftpservice.cluster.cluster_statements` have the same
results as PostgreSQL gives: tests compare both on random histories. All take ``now``, the time of
the database, and are transactions that run one after the other.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from ftpservice.cluster.cluster_statements import (
    GONE_SECONDS,
    MAX_SPARE_PLACES,
    Claim,
    FleetView,
    Grant,
    NodeFacts,
)

__all__ = ["ClaimFailed", "ClusterModel"]

Key = tuple[str, str]


class ClaimFailed(Exception):
    """A node claims that has no row, or has made a later claim."""


@dataclass(slots=True)
class NodeRow:
    """A row of ``ftpservice_cluster_node``."""

    name: str
    until: float
    claims: int = 0


@dataclass
class ClusterModel:
    """The tables of nodes and of places."""

    nodes: dict[str, NodeRow] = field(default_factory=dict)
    places: dict[Key, dict[str, tuple[int, int]]] = field(default_factory=lambda: defaultdict(dict))
    """By key and run: places, and those in use."""
    crashed_at: float = -math.inf
    """When the tables were emptied, the last time."""

    def is_alive(self, run: str, now: float) -> bool:
        """Return whether the places of a node count."""
        row = self.nodes.get(run)
        return row is not None and row.until > now

    def beat(self, now: float, facts: NodeFacts, seconds: float) -> FleetView:
        """Have a node count as alive for some seconds."""
        was_alive = self.is_alive(facts.run, now)
        others = [run for run, row in self.nodes.items() if row.until > now and run != facts.run]
        has_namesake = any(self.nodes[run].name == facts.name for run in others)
        self.nodes.setdefault(facts.run, NodeRow(facts.name, 0.0)).until = now + seconds
        return FleetView(was_alive, tuple(others), has_namesake)

    def claim(
        self,
        now: float,
        run: str,
        number: int,
        claims: Sequence[Claim],
        most_spare: int = MAX_SPARE_PLACES,
    ) -> list[Grant]:
        """Set the places of a node, as far as the limits of all nodes together allow."""
        if run not in self.nodes or self.nodes[run].claims >= number:
            raise ClaimFailed
        self.nodes[run].claims = number
        alive = sum(row.until > now for row in self.nodes.values())
        return [self._claim_one(now, run, one, most_spare, alive) for one in claims]

    def _claim_one(self, now: float, run: str, one: Claim, most_spare: int, alive: int) -> Grant:
        rows = self.places[one.kind, one.name]
        held = [row for other, row in rows.items() if other != run and self.is_alive(other, now)]
        others = sum(places for places, _used in held)
        unused = sum(places - used for places, used in held)
        free = max(0, one.limit - others)
        spare = max(0, min(most_spare, (free - one.needed) // (4 * alive + 1)))
        spare = spare if one.needed else 0
        places = max(one.used, min(one.needed + spare, free))
        if places > 0:
            rows[run] = (places, min(one.needed, places))
        else:
            rows.pop(run, None)
        return Grant(places, places < one.needed and unused > 0)

    def leave(self, run: str) -> None:
        """Remove a node and its places."""
        if self.nodes.pop(run, None) is not None:
            for rows in self.places.values():
                rows.pop(run, None)

    def forget_gone(self, now: float) -> None:
        """Remove the nodes that have been gone for long."""
        for run in [run for run, row in self.nodes.items() if row.until < now - GONE_SECONDS]:
            self.leave(run)

    def crash(self, now: float) -> None:
        """Lose what is in unlogged tables."""
        self.crashed_at = now
        self.nodes.clear()
        self.places.clear()
