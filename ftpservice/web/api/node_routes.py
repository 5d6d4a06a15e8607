"""What the API does with the other nodes of a cluster; without one it refuses with 400."""

from __future__ import annotations

from typing import Any

from ftpservice.web.access.scopes import Scope
from ftpservice.web.api.api_parts import ApiParts
from ftpservice.web.api.routes import ApiCall, RouteTable
from ftpservice.web.api.schemas import ANY, body
from ftpservice.web.http.problems import Problem

__all__ = ["routes"]

routes = RouteTable()

MAX_DIGITS = 15


@routes.add("GET", "/nodes", Scope.READ, ANY)
async def list_nodes(parts: ApiParts, call: ApiCall) -> Any:
    """List the nodes of the cluster, also those that are gone."""
    return await parts.act("nodes", call)


@routes.add("GET", "/nodes/sessions", Scope.READ, ANY)
async def list_sessions_of_nodes(parts: ApiParts, call: ApiCall) -> Any:
    """List the sessions of each node in `answers`, and the nodes that are `silent`."""
    return await parts.act("who", call, node="all")


@routes.add("GET", "/nodes/state", Scope.READ, ANY)
async def states_of_nodes(parts: ApiParts, call: ApiCall) -> Any:
    """Return the state of journal and hooks of each node in `answers`, and its fullest quotas."""
    return await parts.act("state", call, node="all")


@routes.add(
    *("POST", "/nodes/sessions/end", Scope.STEER, ANY),
    body=body(user="string", network="string"),
)
async def end_sessions_of_nodes(parts: ApiParts, call: ApiCall) -> Any:
    """End all sessions of an account or of a network on all nodes; returns their numbers."""
    if len(call.body) != 1:
        raise Problem(400, "Give one of the members user and network.")
    return await parts.act("kick", call, node="all", **call.body)


@routes.add("DELETE", "/nodes/{node}/sessions/{session}", Scope.STEER, ANY)
async def end_session_of_node(parts: ApiParts, call: ApiCall) -> Any:
    """End a session of a node with 421; its transfer is aborted."""
    number = call.path["session"]
    if not number.isdecimal() or len(number) > MAX_DIGITS:
        raise Problem(404, "There is no such session.")
    return await parts.act("kick", call, node=call.path["node"], session=int(number))
