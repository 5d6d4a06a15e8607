"""The requests of administrators that other nodes of a cluster can carry out, too."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from ftpservice.activity.admin_actions import REQUESTED_BY, BadRequest

if TYPE_CHECKING:  # the extra cluster may be missing
    from ftpservice.cluster.cluster_node import ClusterNode

__all__ = ["SPREAD_ACTIONS", "Actions", "actions_of_one", "actions_over_nodes"]

SPREAD_ACTIONS = ("who", "state", "kick", "ban", "unban", "drain", "reload")
Action = Callable[[Mapping[str, Any]], Any]
Actions = Mapping[str, Action]


def actions_of_one(actions: Actions) -> dict[str, Action]:
    """Return the actions of a service without a cluster, which refuse to mean another node."""

    def refusing(action: Action) -> Action:
        def act(request: Mapping[str, Any]) -> Any:
            if request.get("node") is not None:
                raise BadRequest("this service is in no cluster")
            return action({key: value for key, value in request.items() if key != "everywhere"})

        return act

    def nodes(_request: Mapping[str, Any]) -> Any:
        raise BadRequest("this service is in no cluster")

    spread = {name: refusing(actions[name]) for name in SPREAD_ACTIONS}
    return {**actions, **spread, "nodes": nodes}


def actions_over_nodes(node: ClusterNode, actions: Actions, clock: Any) -> dict[str, Action]:
    """Return the actions of a node.

    With ``node``, the name of a node or ``all``, they are carried out there, and with
    ``everywhere`` on all nodes; the result is then that of `NodeAnswers`.
    """
    from ftpservice.cluster.cluster_requests import ALL_NODES, ClusterRequests
    from ftpservice.cluster.cluster_statements import known_nodes

    requests = ClusterRequests(node, {name: actions[name] for name in SPREAD_ACTIONS}, clock)
    node.receivers.append(requests.received)
    node.when_connected.append(requests.catch_up)

    def spread(name: str) -> Action:
        def act(request: Mapping[str, Any]) -> Any:
            words = {key: value for key, value in request.items() if key != "everywhere"}
            target = words.pop("node", None) or (ALL_NODES if "everywhere" in request else None)
            if target is None:
                return actions[name](words)
            words[REQUESTED_BY] = f"{words.get(REQUESTED_BY, '')} at {node.facts.name}"
            asking = Deferred.fromCoroutine(requests.ask(name, words, str(target)))
            return asking.addCallback(vars)

        return act

    def nodes(_request: Mapping[str, Any]) -> Any:
        return node.calls.run(known_nodes).addErrback(_unanswered)

    return {**actions, **{name: spread(name) for name in SPREAD_ACTIONS}, "nodes": nodes}


def _unanswered(failure: Failure) -> None:
    from ftpservice.cluster.cluster_calls import UNANSWERED

    failure.trap(*UNANSWERED)
    raise BadRequest(f"the database of the cluster cannot be used: {failure.getErrorMessage()}")
