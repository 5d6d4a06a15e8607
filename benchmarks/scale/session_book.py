"""The sessions of a simulation, and whether one of them breaks a rule of the limits.

When a session begins, for each of its keys:

1. *By lease*: the database counts its node as alive, with at least as many places as the node has
   sessions. As the places of all nodes are never more than the limit, but for sessions that had
   begun before they were claimed, a limit holds where no node has been alone.
   After a crash of the database its tables are empty, and nodes need not know it for
   `UNCOUNTED_SECONDS`.
2. *Alone*: a node that does not reach the database begins no session beyond its share.
"""

from __future__ import annotations

from collections import Counter, defaultdict

from benchmarks.scale.cluster_model import ClusterModel
from ftpservice.cluster.cluster_node import ClusterNode

__all__ = ["LimitExceeded", "SessionBook"]

UNCOUNTED_SECONDS = 1.0

Key = tuple[str, str]


class LimitExceeded(AssertionError):
    """A rule is broken."""


class SessionBook:
    """Counts the sessions of all nodes."""

    def __init__(self, model: ClusterModel) -> None:
        self._model = model
        self._of: dict[Key, Counter[str]] = defaultdict(Counter)
        self.totals: Counter[Key] = Counter()
        self.most_over: Counter[str] = Counter()
        """By kind of key: sessions beyond the limit, at the most."""
        self.begun: Counter[str] = Counter()

    def take(self, now: float, node: ClusterNode, key: Key, limit: int) -> None:
        """Count a session that has begun, and check the rules; raises `LimitExceeded`."""
        run, leases = node.facts.run, node.limits.leases
        self._of[key][run] += 1
        self.totals[key] += 1
        used = self._of[key][run]
        if leases.is_valid:
            self._check_lease(now, run, key, used)
        elif used > leases.rule.share(key, limit):
            raise LimitExceeded(f"{run} alone has {used} of {limit} for {key}")
        self.begun["by lease" if leases.is_valid else "alone"] += 1
        self.most_over[key[0]] = max(self.most_over[key[0]], self.totals[key] - limit)

    def release(self, run: str, key: Key) -> None:
        """Count a session no more."""
        self._of[key][run] -= 1
        self.totals[key] -= 1

    def forget(self, run: str) -> None:
        """Count no session of a node that has ended, nor those that were about to begin."""
        for key, counts in self._of.items():
            self.totals[key] -= counts.pop(run, 0)

    def _check_lease(self, now: float, run: str, key: Key, used: int) -> None:
        if now < self._model.crashed_at + UNCOUNTED_SECONDS:
            return
        held, _used = self._model.places[key].get(run, (0, 0))
        if not self._model.is_alive(run, now):
            raise LimitExceeded(f"{run} trusts its leases of {key} and is not alive")
        if held < used:
            raise LimitExceeded(f"{run} has {used} sessions of {key} in {held} places")
