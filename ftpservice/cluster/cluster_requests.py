"""Requests to the nodes of a cluster, and their answers, by way of the database.

A request is a row; nodes are told of it by NOTIFY, carry it out, and answer with a row each. A node
that does not answer in time is named.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from ftpservice.activity.admin_actions import BadRequest
from ftpservice.cluster.cluster_calls import UNANSWERED
from ftpservice.cluster.cluster_listener import notify
from ftpservice.cluster.cluster_node import ClusterNode

__all__ = ["ALL_NODES", "ClusterRequests", "NodeAnswers"]

log = Logger("ftpservice.cluster")

ALL_NODES = "all"
ANSWER_SECONDS = 4.0
REQUEST, ANSWER = "request", "answer"
Action = Callable[[Mapping[str, Any]], Any]


@dataclass
class NodeAnswers:
    """The answers to one request, each with ``node`` and either ``result`` or ``error``."""

    answers: list[dict[str, Any]] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)
    """The nodes that have not answered in time."""
    problem: str = ""
    """Why other nodes could not be asked; empty: they were."""


@dataclass
class OpenRequest:
    """A request whose answers are waited for."""

    names: dict[str, str] = field(default_factory=dict)
    """The names of the nodes that were asked, by their run; empty until that is known."""
    answered: set[str] = field(default_factory=set)
    is_complete: Deferred[None] = field(default_factory=Deferred)

    def check(self) -> None:
        """Note whether all have answered."""
        if self.names and self.answered.issuperset(self.names) and not self.is_complete.called:
            self.is_complete.callback(None)


class ClusterRequests:
    """Carries out requests on this node and asks others; ``actions`` are those of this node."""

    def __init__(self, node: ClusterNode, actions: Mapping[str, Action], clock: Any) -> None:
        self._node = node
        self._actions = actions
        self._clock = clock
        self._open: dict[str, OpenRequest] = {}
        self._begun: set[str] = set()
        """The requests of other nodes that are carried out now."""

    async def ask(self, command: str, request: Mapping[str, Any], target: str) -> NodeAnswers:
        """Carry out a request on a node by its name, or on `ALL_NODES`; raises `BadRequest`."""
        found, own = NodeAnswers(), self._node.facts.name
        if target != own:
            number = secrets.token_hex(8)
            self._open[number] = OpenRequest()
            try:
                await self._ask_others(number, {**request, "command": command}, target, found)
            except UNANSWERED as error:
                found.problem = str(error)
            finally:
                del self._open[number]
            if target != ALL_NODES and not (found.answers or found.silent):
                raise BadRequest(found.problem or f"there is no node {target!r} in the cluster")
        if target in (own, ALL_NODES):
            found.answers.append({"node": own, **await self._answer_of(command, request)})
        found.answers.sort(key=lambda answer: str(answer["node"]))
        return found

    async def _ask_others(
        self, number: str, request: Mapping[str, Any], target: str, found: NodeAnswers
    ) -> None:
        """Ask other nodes, and wait for their answers."""
        calls, own, waiting = self._node.calls, self._node.facts.run, self._open[number]
        asked = await calls.run(post, number, own, target, json.dumps(request))
        if not asked:
            return
        waiting.names.update(asked)
        limit = self._clock.callLater(ANSWER_SECONDS, waiting.is_complete.callback, None)
        waiting.check()
        await waiting.is_complete
        if limit.active():
            limit.cancel()
        names = dict(waiting.names)
        found.silent += sorted(names.values())
        for run, body in await calls.run(collect, number):
            name = names.pop(run, None)
            if name is not None:
                found.silent.remove(name)
                found.answers.append({"node": name, **json.loads(body)})

    def received(self, message: Mapping[str, Any]) -> None:
        """Take a message of a node: a request, or that one was answered."""
        kind, sender = message["kind"], message["from"]
        if kind == ANSWER:
            waiting = self._open.get(message["request"])
            if waiting is not None:
                waiting.answered.add(sender)
                waiting.check()
            return
        is_meant = message.get("target") in (ALL_NODES, self._node.facts.name)
        if kind == REQUEST and is_meant and sender != self._node.facts.run:
            self._begin(message["request"])

    def catch_up(self) -> None:
        """Carry out what was asked while this node could not hear it, before an upgrade as well."""
        facts = self._node.facts
        asking = self._node.calls.run(unanswered, facts.run, facts.name)
        asking.addCallbacks(self._begin_all, _not_answered)

    def _begin_all(self, numbers: Sequence[str]) -> None:
        for number in numbers:
            self._begin(number)

    def _begin(self, number: str) -> None:
        if number in self._begun or self._node.is_handed_over:
            return
        self._begun.add(number)
        answering = Deferred.fromCoroutine(self._carry_out(number))
        answering.addErrback(_not_answered)
        answering.addCallback(lambda _none: self._begun.discard(number))

    async def _carry_out(self, number: str) -> None:
        body = await self._node.calls.run(request_body, number)
        if body is None:
            return
        request = json.loads(body)
        answer = await self._answer_of(str(request.pop("command")), request)
        run = self._node.facts.run
        await self._node.calls.run(put_answer, number, run, json.dumps(answer))

    async def _answer_of(self, command: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return what an action of this node returns or says."""
        action = self._actions.get(command)
        if action is None:
            return {"error": f"this version has no command {command!r}"}
        try:
            return {"result": await maybeDeferred(action, request)}
        except BadRequest as error:
            return {"error": str(error)}
        except Exception:  # noqa: BLE001 - as on the control socket: the log has it
            log.failure("a request of another node failed")
            return {"error": "internal error; see the log of the node"}


def post(connection: Any, number: str, run: str, target: str, body: str) -> list[tuple[str, str]]:
    """Store a request and tell the nodes; returns runs and names of those that are asked."""
    rows = connection.execute(
        "SELECT run, name FROM ftpservice_cluster_node WHERE run <> %s"
        " AND until > clock_timestamp() AND %s IN (name, %s)",
        (run, target, ALL_NODES),
    ).fetchall()
    if rows:
        connection.execute(
            "INSERT INTO ftpservice_cluster_request (id, sender, target, body)"
            " VALUES (%s, %s, %s, %s)",
            (number, run, target, body),
        )
        notify(connection, {"kind": REQUEST, "from": run, "request": number, "target": target})
    return [(str(run), str(name)) for run, name in rows]


def unanswered(connection: Any, run: str, name: str) -> list[str]:
    """Return the requests to a node that it has not answered, and whose answers are waited for."""
    rows = connection.execute(
        "SELECT id FROM ftpservice_cluster_request asked WHERE sender <> %s"
        " AND target IN (%s, %s) AND at > clock_timestamp() - make_interval(secs => %s)"
        " AND NOT EXISTS (SELECT 1 FROM ftpservice_cluster_answer answer"
        " WHERE answer.request = asked.id AND answer.run = %s)",
        (run, name, ALL_NODES, ANSWER_SECONDS, run),
    ).fetchall()
    return [str(row[0]) for row in rows]


def request_body(connection: Any, number: str) -> str | None:
    """Return what a request says; None if nobody waits for its answer any more."""
    row = connection.execute(
        "SELECT body FROM ftpservice_cluster_request WHERE id = %s", (number,)
    ).fetchone()
    return None if row is None else str(row[0])


def put_answer(connection: Any, number: str, run: str, body: str) -> None:
    """Store the answer of a node, and tell who waits for it."""
    connection.execute(
        "INSERT INTO ftpservice_cluster_answer (request, run, body)"
        " SELECT id, %s, %s FROM ftpservice_cluster_request WHERE id = %s",
        (run, body, number),
    )
    notify(connection, {"kind": ANSWER, "from": run, "request": number})


def collect(connection: Any, number: str) -> list[tuple[str, str]]:
    """Return the answers by run, and remove the request."""
    rows = connection.execute(
        "SELECT run, body FROM ftpservice_cluster_answer WHERE request = %s", (number,)
    ).fetchall()
    connection.execute("DELETE FROM ftpservice_cluster_request WHERE id = %s", (number,))
    return [(str(run), str(body)) for run, body in rows]


def _not_answered(failure: Failure) -> None:
    if failure.check(*UNANSWERED):
        log.warn("a node gets no answer: {reason}", reason=failure.getErrorMessage())
    else:
        log.failure("a node gets no answer", failure)
