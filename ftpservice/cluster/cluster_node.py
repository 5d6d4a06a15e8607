"""This node of a cluster: its heartbeat, and whether the database answers.

The heartbeat is sent four times within the time after which a node counts as gone. Without an
answer the node goes on alone with its share of each limit, and tries again every second. A node
that has never been in the cluster has no share: it waits for the database, and ends without one.
"""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from ftpservice.cluster.cluster_calls import UNANSWERED
from ftpservice.cluster.cluster_database import ClusterDatabase
from ftpservice.cluster.cluster_listener import call_each, notify
from ftpservice.cluster.cluster_statements import (
    Claim,
    FleetView,
    Grant,
    NodeFacts,
    NodeState,
    beat,
    claim,
    forget_gone,
    leave,
)
from ftpservice.cluster.last_share import NEVER_JOINED_TEXT, ended_run, load_share, save_share
from ftpservice.cluster.leased_session_limits import LeasedSessionLimits
from ftpservice.cluster.place_leases import ShareRule
from ftpservice.concurrency.thread_pool import PoolOverloaded, PoolStopped
from ftpservice.state_files.private_json import DocumentStore
from ftpservice.wire.units import count_text

__all__ = ["ClusterNode", "ClusterStatus"]

log = Logger("ftpservice.cluster")

BEATS = 4
"""Heartbeats within the time after which a node counts as gone."""
MAX_ANSWER_SECONDS = 2.0
RETRY_SECONDS = 1.0
TRUSTED_PART = 0.9
"""Of that time after a heartbeat, in which the node trusts its leases: clocks have their drift."""
BEATS_PER_SWEEP = 200
NEWS_SECONDS, FEW_NODES = 0.01, 10
"""For each node of the cluster, but at least for so many: when to ask again which nodes there are,
after one has come or gone. All nodes together so ask a hundred times a second, or two."""
HANDOVER_SECONDS = 30.0
"""How long the node counts as alive, at least, from its last heartbeat before another program
takes the place of this one: so long it may take to start."""
DISPLACE_SECONDS = 0.1
"""How long another node may take to end a session for one of this node."""
LACKS, NODES, DISPLACE = "lacks", "nodes", "displace"
"""Messages: a node lacks places of a key; there are other nodes than before; a node is to end a
session without a login."""


@dataclass(frozen=True)
class ClusterStatus:
    """What is known of the cluster."""

    place: str
    """The database, without a password."""
    nodes: int
    """The nodes that were alive at the last answer."""
    problem: str
    """Why the database does not answer; empty: it does."""


class ClusterNode(Service):
    """The node; ``seconds`` is the time after which it counts as gone without a heartbeat."""

    state: Callable[[], NodeState] = NodeState
    """Returns what the node says of itself."""
    random = Random()
    """Spreads what all nodes would do at the same moment."""
    _is_due_again = False
    """Whether the heartbeat under way is to be followed by another one at once."""
    refused: Callable[[str], object] = bool
    """Called with a text if this node cannot be one of the cluster; ends the process."""
    is_refused = False
    """Whether it was called."""
    displace_in_worker: Callable[[], Awaitable[object]] | None = None
    """Has a worker end a session without a login, if the node has workers."""
    share_path: Path | None = None
    """The file that keeps the last number of nodes over a restart."""
    wait_seconds = 60.0
    """How long to wait for the database, as long as the node has never been in the cluster."""
    may_serve_alone = False
    """Whether the node has been in the cluster: then its share of each limit is known."""
    is_handed_over = False
    """Whether another program of this process goes on as this node (`node_handover`)."""
    is_closing = False
    """Whether the node leaves; nothing is begun any more."""
    documents: DocumentStore | None = None
    """What the nodes have in common of the files of their data directories."""
    state_before: NodeState | None = None
    """What the program before this one said; told until its workers are known here."""

    def __init__(self, database: ClusterDatabase, facts: NodeFacts, seconds: float) -> None:
        self.facts = facts
        self._seconds = seconds
        self.reactor = reactor = database.reactor
        self._place = database.place
        answer_seconds = min(MAX_ANSWER_SECONDS, seconds / 3)
        self.calls = database.calls("cluster", answer_seconds)
        self.claims = database.calls("cluster places", answer_seconds)
        """The calls that clients wait for."""
        self.feed_calls = database.calls("cluster feeds", answer_seconds)
        self._listener = database.listener(self._message, lambda: call_each(self.when_connected))
        self.claim_numbers, self.row_numbers = itertools.count(1), itertools.count(1)
        """A claim that is carried out after one with a higher number fails; a row of a feed with a
        number that is not higher is one that was sent before."""
        self.limits = LeasedSessionLimits(partial(_claim, self), reactor)
        self.limits.leases.lacks = lambda key: self.tell(LACKS, key=key)
        self.limits.leases.failed = self.unanswered
        self.limits.displace_at_another = self._displace_at_another
        self.others: tuple[str, ...] = ()
        """The runs of the other nodes that were alive at the last answer."""
        self.receivers: list[Callable[[dict[str, Any]], object]] = []
        """Called with messages of nodes, also its own."""
        self.when_connected: list[Callable[[], object]] = [partial(self._messages, are_lost=False)]
        """Called when messages may have been lost."""
        self.when_counted_again: list[Callable[[], object]] = []
        """Called when the node is in the cluster, after it was alone or counted as gone."""
        self.when_alone: list[Callable[[], object]] = []
        """Called when the database does not answer any more."""
        self.when_beaten: list[Callable[[], object]] = []
        """Called after each heartbeat that was answered."""
        self.before_leaving: list[Callable[[], Awaitable[object]]] = []
        """Called before the node leaves, while the database answers."""
        self.before_closing: list[Callable[[], Awaitable[object]]] = []
        """The same, also before another program goes on as this node."""
        self._due: IDelayedCall | None = None
        self._beats, self._problem = 0, "not asked yet"
        self.joined: Deferred[None] = Deferred()
        """Fires when the node is in the cluster for the first time, or serves alone."""
        self.answered_at = self.reactor.seconds()
        """The time of the last heartbeat that was answered; before that, of the start."""

    @property
    def status(self) -> ClusterStatus:
        """What is known now."""
        rule = self.limits.leases.rule
        return ClusterStatus(self._place, rule.nodes, self._problem)

    @property
    def is_connected(self) -> bool:
        """Whether the database answers."""
        return not self._problem

    def startService(self) -> None:
        """Join the cluster."""
        super().startService()
        self.answered_at = self.reactor.seconds()
        if self.share_path is not None and not self.may_serve_alone:
            _use_last_share(self, self.share_path)
        self._listener.disconnected = partial(self._messages, are_lost=True)
        self._listener.start()
        self.claims.run(bool).addErrback(_not_told)  # connects
        self._beat()

    async def close(self) -> None:
        """Leave the cluster; called when no session is left, after `stopService`.

        A node that is handed over stays in it, long enough for the other program to go on.
        """
        self.is_closing = True
        if self._due is not None:
            self._due.cancel()
            self._due = None
        if not self._problem:
            try:
                for ending in self.before_closing:
                    await ending()
                if self.is_handed_over:
                    seconds = max(self._seconds, HANDOVER_SECONDS)
                    await self.calls.run(beat, self.facts, self.state(), seconds)
                else:
                    await _leave(self)
            except UNANSWERED as error:
                log.warn("the node could not leave its cluster: {reason}", reason=str(error))
        closings = (self._listener.stop, self.feed_calls.close, self.claims.close, self.calls.close)
        for closing in closings:
            await closing()

    def tell(self, kind: str, **values: Any) -> Deferred[Any]:
        """Send a message to all nodes; one that cannot be sent is lost."""
        message = {"kind": kind, "from": self.facts.run, **values}
        return self.calls.run(notify, message).addErrback(_not_told)

    def _message(self, message: dict[str, Any]) -> None:
        kind, is_own = message["kind"], message["from"] == self.facts.run
        if kind == LACKS and not is_own:
            place, name = message["key"]
            self.limits.leases.give_back((place, name))
        elif kind == DISPLACE:
            if message["to"] == self.facts.run:
                _displace(self)
        elif kind == NODES and not is_own:
            nodes = max(FEW_NODES, self.limits.leases.rule.nodes)
            self._beat_within(NEWS_SECONDS * nodes * self.random.uniform(0.5, 1.0))
        else:
            call_each(self.receivers, message)

    async def _displace_at_another(self) -> bool:
        """Have one of the other nodes end a session without a login, if it has one."""
        if self._problem or not self.others:
            return False
        await self.tell(DISPLACE, to=self.random.choice(self.others))
        await deferLater(self.reactor, DISPLACE_SECONDS)
        return True

    def _messages(self, are_lost: bool) -> None:
        """Send a heartbeat if that may show another state: tables may be lost, or be back."""
        if are_lost != bool(self._problem):  # not all nodes at once
            self._is_due_again = are_lost and self._due is None
            self._beat_within(
                self.random.uniform(0.0, NEWS_SECONDS * self.limits.leases.rule.nodes)
            )

    def _beat_within(self, seconds: float) -> None:
        due = self._due
        if due is not None and due.getTime() > self.reactor.seconds() + seconds:
            due.reset(seconds)

    def _beat(self) -> None:
        self._due = None
        began = self.reactor.seconds()
        state = None if self.joined.called else self.state_before
        beating = self.calls.run(beat, self.facts, state or self.state(), self._seconds)
        beating.addCallbacks(self._alive, self.unanswered, callbackArgs=(began,))
        beating.addErrback(lambda failure: log.failure("the heartbeat failed", failure))
        beating.addBoth(self._beat_later)

    def _beat_later(self, _none: object) -> None:
        if self.is_closing:
            return
        seconds = self._seconds / BEATS
        if self._problem:
            seconds = min(RETRY_SECONDS, seconds)
        if self._is_due_again:
            seconds, self._is_due_again = 0.0, False
        self._due = self.reactor.callLater(seconds, self._beat)

    def _alive(self, view: FleetView, began: float) -> None:
        """Note that the node is in the cluster."""
        runs = sorted((self.facts.run, *view.others))
        rule = ShareRule(len(runs), runs.index(self.facts.run))
        self.others = view.others
        had_problem, self._problem = self._problem, ""
        before, is_first = self.limits.leases.rule, not self.joined.called
        self.may_serve_alone = True
        if is_first:
            _log_joined(self, rule, view)
        else:
            _log_change(view, rule, before, had_problem)
        if had_problem or before != rule:
            _save_share(self, rule)
        if had_problem:
            self.tell(NODES)
        self.answered_at = began
        until = began + self._seconds * TRUSTED_PART
        self.limits.leases.renewed(until, rule, view.was_alive)
        if had_problem or not view.was_alive:
            call_each(self.when_counted_again)
        call_each(self.when_beaten)
        self._beats += 1
        _sweep_sometimes(self, self._beats)
        if is_first and not view.has_namesake:
            self.joined.callback(None)

    def unanswered(self, failure: Failure) -> None:
        """Note that the database does not answer: this node goes on alone."""
        failure.trap(*UNANSWERED)
        self._alone(str(failure.value))

    def _alone(self, reason: str) -> None:
        is_first, before, self._problem = not self.joined.called, self._problem, reason
        if not self.may_serve_alone:
            _wait_to_join(self, reason, before)
            return
        was_connected, leases = not before or is_first, self.limits.leases
        leases.suspend()
        self._listener.lost()
        call_each(self.when_alone)
        self._beat_within(min(RETRY_SECONDS, self._seconds / BEATS))
        if was_connected:
            log.error(
                "the database of the cluster cannot be used: {reason}; until it can, this node "
                "hands out its share of each limit: 1/{nodes}",
                reason=reason,
                nodes=leases.rule.nodes,
            )
        if is_first:
            self.joined.callback(None)


def _wait_to_join(node: ClusterNode, reason: str, before: str) -> None:
    """Wait for the database; a node that has never been in the cluster does not serve alone.

    It does not know its share of a limit, and together such nodes would exceed it.
    """
    left = node.answered_at + node.wait_seconds - node.reactor.seconds()
    if left <= 0 and not node.is_refused:
        node.is_refused = True
        node.refused(f"--cluster: {reason}; {NEVER_JOINED_TEXT}")
    elif left > 0 and reason != before:
        log.warn(
            "the database of the cluster cannot be used: {reason}; the node waits for it, {left} s "
            "more at most",
            reason=reason,
            left=round(left),
        )


async def _leave(node: ClusterNode) -> None:
    for ending in node.before_leaving:
        await ending()
    await node.calls.run(leave, node.facts.run)
    await node.tell(NODES)


def _claim(node: ClusterNode, claims: Sequence[Claim]) -> Deferred[list[Grant]]:
    return node.claims.run(claim, node.facts.run, next(node.claim_numbers), claims)


def _displace(node: ClusterNode) -> None:
    """End a session without a login, for one of another node."""
    if not node.limits.displace() and node.displace_in_worker is not None:
        asking: Any = node.displace_in_worker()
        Deferred.fromCoroutine(asking).addErrback(
            lambda failure: log.failure("no session was displaced", failure)
        )


def _sweep_sometimes(node: ClusterNode, beats: int) -> None:
    if beats % BEATS_PER_SWEEP == 0:
        node.calls.run(forget_gone).addErrback(_not_told)


def _save_share(node: ClusterNode, rule: ShareRule) -> None:
    if node.share_path is not None:
        saving = node.calls.run_file_call(save_share, node.share_path, rule, node.facts.run)
        saving.addErrback(_not_saved)


def _count(rule: ShareRule) -> str:
    return count_text(rule.nodes, "node")


def _use_last_share(node: ClusterNode, path: Path) -> None:
    """Use what was kept, and remove the run of before this start, which did not leave."""
    kept = load_share(path)
    if kept is not None:
        node.limits.leases.rule, node.may_serve_alone = kept, True
    earlier = ended_run(path)
    if earlier is not None:
        node.calls.run(leave, earlier).addErrback(_not_told)


def _log_joined(node: ClusterNode, rule: ShareRule, view: FleetView) -> None:
    name = node.facts.name
    if view.has_namesake and not node.is_refused:
        node.is_refused = True
        node.refused(
            f"--cluster-node: another node of the cluster is {name}, and alive; choose another "
            "name - a node that was killed counts as gone after cluster-timeout"
        )
    log.info("this node, {name}, is in a cluster of {nodes}", name=name, nodes=_count(rule))


def _log_change(view: FleetView, rule: ShareRule, before: ShareRule, had_problem: object) -> None:
    if had_problem:
        log.info("the cluster answers again: {nodes}; sessions are counted", nodes=_count(rule))
    elif not view.was_alive:
        log.warn("this node counted as gone in its cluster; its sessions are counted again")
    elif before.nodes != rule.nodes:
        log.info("the cluster has {nodes}", nodes=_count(rule))


def _not_saved(failure: Failure) -> None:
    failure.trap(OSError, PoolOverloaded, PoolStopped)
    log.error("the number of nodes could not be saved: {reason}", reason=str(failure.value))


def _not_told(failure: Failure) -> None:
    failure.trap(*UNANSWERED)
