"""What a node hands over to the program that goes on as the same node (``ftpservice upgrade``).

The next program has the same run, so what the database holds for it stays: its places, what is
reserved of quotas, its name. Nothing is given back, and nothing is asked for twice. The places are
claimed again with the first heartbeat: the next program counts the sessions of the workers that go
on before that (`LimitsOfWorkers.take_over`).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from ftpservice.cluster.cluster_statements import NodeState
from ftpservice.cluster.place_leases import HeldPlaces, ShareRule

if TYPE_CHECKING:  # the extra cluster may be missing
    from ftpservice.cluster.cluster_node import ClusterNode

__all__ = ["IDENTITY", "continue_node", "hand_over_node", "keep_state", "node_identity"]

IDENTITY = ("place", "name")
"""The database of the cluster, without a password, and the name of the node."""
LATE_CALLS = 1000
"""The numbers left for what this program may still ask while it ends."""


def node_identity(node: ClusterNode | None) -> dict[str, Any]:
    """Return what an upgrade cannot change, by the keys of `IDENTITY`; empty: no cluster."""
    return {} if node is None else {"place": node.status.place, "name": node.facts.name}


def keep_state(node: ClusterNode | None) -> Callable[[], object]:
    """Have a node say the same of itself while it is handed over; returns what ends that."""
    if node is None:
        return bool
    current, state = node.state, node.state()
    node.state = lambda: state

    def end() -> None:
        node.state = current

    return end


def hand_over_node(node: ClusterNode | None) -> dict[str, Any]:
    """Have a node stay in the cluster at its end; returns plain values for `continue_node`."""
    if node is None:
        return {}
    node.is_handed_over = True
    leases = node.limits.leases
    return {
        **node_identity(node),
        "run": node.facts.run,
        "claims": next(node.claim_numbers) + LATE_CALLS,
        "rows": next(node.row_numbers) + LATE_CALLS,
        "nodes": leases.rule.nodes,
        "rank": leases.rule.rank,
        "state": dict(vars(node.state())),
        "limits": [(*key, holding.limit) for key, holding in leases.holdings.items()],
    }


def continue_node(node: ClusterNode, values: Mapping[str, Any]) -> None:
    """Go on as the node of the program before this one; called before its start.

    That may be of another version, so what it says of itself goes by names: what is not known here
    is left out, and what it does not say has its default.
    """
    node.claim_numbers = itertools.count(values["claims"])
    node.row_numbers = itertools.count(values.get("rows", 1))
    leases = node.limits.leases
    leases.rule = ShareRule(values["nodes"], values["rank"])
    for kind, name, limit, *_ in values["limits"]:  # the first heartbeat has them claimed
        leases.holdings[kind, name] = HeldPlaces(limit, was_claimed=True)
    known = {one.name for one in fields(NodeState)}
    said = {name: value for name, value in values["state"].items() if name in known}
    node.state_before = NodeState(**said)
    node.may_serve_alone = True
