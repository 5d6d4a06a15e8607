"""The feeds of administrators over the nodes of a cluster: ``log`` and ``trace``.

With ``node``, the name of a node, a feed is that of this node; with ``everywhere`` or ``all`` it is
that of all nodes, each record with the name of its ``node``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from twisted.internet.defer import Deferred

from ftpservice.activity.admin_actions import REQUESTED_BY, BadRequest
from ftpservice.activity.event_feed import Feed
from ftpservice.service.cluster.merged_feeds import EventsOfNodes, FeedOfNode, TraceOfNodes

if TYPE_CHECKING:  # the extra cluster may be missing
    from ftpservice.cluster.cluster_node import ClusterNode
    from ftpservice.cluster.feeds.followed_feeds import FollowedFeeds

__all__ = ["Feeds", "NodeFeeds", "feeds_of_one"]

FeedMaker = Callable[[Mapping[str, Any]], Any]
"""Returns the feed that a request asks for, or a Deferred of it; raises `BadRequest`."""
Feeds = Mapping[str, FeedMaker]
Merge = Callable[[str, Feed, Feed], Feed]
ALL_NODES = "all"
SESSION_OF_NODE = re.compile(r"(?P<node>[^:]+):(?P<number>[0-9]{1,15})")
SESSION_ID = re.compile(r"[0-9a-f]{12}-[0-9]{1,15}")


def feeds_of_one(feeds: Feeds) -> dict[str, FeedMaker]:
    """Return the feeds of a service without a cluster, which refuse to mean another node."""

    def refusing(make: FeedMaker) -> FeedMaker:
        def made(request: Mapping[str, Any]) -> Any:
            if request.get("node") is not None:
                raise BadRequest("this service is in no cluster")
            return make({key: value for key, value in request.items() if key != "everywhere"})

        return made

    return {name: refusing(make) for name, make in feeds.items()}


class NodeFeeds:
    """Returns feeds over the nodes; ``who`` returns the sessions of all of them (`NodeAnswers`)."""

    def __init__(
        self,
        node: ClusterNode,
        followed: FollowedFeeds,
        who: Callable[[], Deferred[Mapping[str, Any]]],
        seconds: Callable[[], float],
    ) -> None:
        self._node = node
        self._followed = followed
        self._who = who
        self._merges: dict[str, Merge] = {
            "log": partial(EventsOfNodes, node.reactor, seconds),
            "trace": TraceOfNodes,
        }

    def spread(self, feeds: Feeds) -> dict[str, FeedMaker]:
        """Return the same feeds, which can be those of other nodes."""
        made = {name: partial(self._made, name, make) for name, make in feeds.items()}
        return made | {"trace": partial(self._trace, made["trace"])}

    def follow(self, command: str, request: Mapping[str, Any], target: str = ALL_NODES) -> Feed:
        """Return a feed of a node by its name, or of all others."""
        words = dict(request)
        if REQUESTED_BY in words:
            words[REQUESTED_BY] = f"{words[REQUESTED_BY]} at {self._node.facts.name}"
        return self._followed.follow(command, words, target)

    def _made(self, command: str, make: FeedMaker, request: Mapping[str, Any]) -> Feed:
        words = {key: value for key, value in request.items() if key != "everywhere"}
        own = self._node.facts.name
        target = words.pop("node", None) or (ALL_NODES if "everywhere" in request else own)
        if target == own:
            return cast(Feed, make(words))
        if target != ALL_NODES:
            return FeedOfNode(self.follow(command, words, str(target)))
        return self._merges[command](own, make(words), self.follow(command, words))

    def _trace(self, make: FeedMaker, request: Mapping[str, Any]) -> Any:
        """Return the trace of an account at all nodes, or of a session at its node."""
        target, has_node = str(request.get("target") or ""), request.get("node") is not None
        if has_node or request.get("is_user"):
            return make({"everywhere": True, **request})
        found = SESSION_OF_NODE.fullmatch(target)
        if found is not None:
            return make({**request, "target": found["number"], "node": found["node"]})
        if target.isdecimal() or not target:
            return make({key: value for key, value in request.items() if key != "everywhere"})
        if SESSION_ID.fullmatch(target):
            return self._who().addCallback(self._trace_of_id, make, request, target)
        return make({**request, "everywhere": True, "is_user": True})

    def _trace_of_id(
        self, found: Mapping[str, Any], make: FeedMaker, request: Mapping[str, Any], id: str
    ) -> Feed:
        """Return the trace of the session of an id; without one, of an account of that name."""
        for answer in found["answers"]:
            if any(one["id"] == id for one in answer.get("result", ())):
                return cast(Feed, make({**request, "node": answer["node"]}))
        return cast(Feed, make({**request, "everywhere": True, "is_user": True}))
