"""Counts of a tree that hold for all nodes: valid only if no node has changed a name meanwhile.

Before a tree is read and after it, each node tells by NOTIFY how many changes it has made, and what
its uploads hold. A node that does not answer makes the count invalid. If nodes change the tree all
the time, their changes wait for a count, for some seconds at most.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from ftpservice.cluster.cluster_calls import UNANSWERED
from ftpservice.cluster.cluster_node import ClusterNode
from ftpservice.cluster.quotas.quota_statements import alive_runs, set_count
from ftpservice.cluster.quotas.tree_rooms import LeasedTree, TreeRooms, room_of
from ftpservice.storage.errors import Busy
from ftpservice.storage.quota.counted_tree import COUNT_TIMEOUT_SECONDS
from ftpservice.storage.quota.ledgers.ledger import Place

__all__ = ["CommonCounts"]

log = Logger("ftpservice.cluster")

COUNT, COUNTED = "quota count", "quota counted"
ANSWER_SECONDS = 3.0
MAX_OVER = 1000


class NodeAnswer(NamedTuple):
    """What a node has of a tree."""

    generation: int
    changes: int
    size: int
    files: int
    held_size: int
    held_files: int


Answers = Mapping[str, NodeAnswer]
NO_COUNT: tuple[int, Answers] = (0, {})


@dataclass
class OpenQuestion:
    """A question to all nodes."""

    asked: frozenset[str] | None = None
    """The nodes that have to answer; None: not known yet."""
    answers: dict[str, NodeAnswer] = field(default_factory=dict)
    is_complete: Deferred[None] = field(default_factory=Deferred)

    def check(self) -> None:
        """Note whether all have answered."""
        has_all = self.asked is not None and self.asked <= self.answers.keys()
        if has_all and not self.is_complete.called:
            self.is_complete.callback(None)


class CommonCounts:
    """Asks the other nodes, and answers them; ``load`` makes trees known that others have."""

    def __init__(
        self, node: ClusterNode, rooms: TreeRooms, load: Callable[[], Awaitable[object]], clock: Any
    ) -> None:
        self._node = node
        self._rooms = rooms
        self._load = load
        self._clock = clock
        self._open: dict[tuple[int, bool], OpenQuestion] = {}
        self._begun: dict[Place, tuple[int, Answers]] = {}
        """The last count of each tree; a node counts a tree once at a time."""
        self._ended: dict[Place, tuple[int, Answers]] = {}
        self._excluding: dict[Place, dict[int, IDelayedCall]] = {}
        """By tree, the counts of other nodes that its changes wait for, and until when."""
        self._over: deque[int] = deque(maxlen=MAX_OVER)
        """The last counts of other nodes that have ended, whose begin may still be carried out."""

    async def begins(self, leased: LeasedTree, is_exclusive: bool) -> int | None:
        """Tell the other nodes; returns the number of the count, None if one changes something."""
        if not self._rooms.is_connected:
            return 0
        if not leased.is_joined:
            await self._rooms.want(leased.tree)
        if not leased.is_joined:
            return None
        number = secrets.randbits(40) + 1
        answers = await self._asked(leased.number, number, is_end=False, is_exclusive=is_exclusive)
        if answers is None or any(answer.changes for answer in answers.values()):
            if is_exclusive:
                self._tell(leased.number, number, is_end=True, is_exclusive=True)
            return None
        self._begun[leased.tree.place] = number, answers
        return number

    async def ends(self, leased: LeasedTree, number: int) -> bool:
        """Tell the other nodes; returns whether none of them has changed something."""
        begun_number, begun = self._begun.pop(leased.tree.place, NO_COUNT)
        if begun_number != number or not number:
            return not number
        answers = await self._asked(leased.number, number, is_end=True, is_exclusive=True)
        if answers is None or answers.keys() != begun.keys():
            return False
        self._ended[leased.tree.place] = number, answers
        return all(
            (answer.generation, answer.changes) == (begun[run].generation, 0)
            for run, answer in answers.items()
        )

    async def counted(self, leased: LeasedTree, number: int, shift: tuple[int, int]) -> None:
        """Tell the database what was counted."""
        ended_number, answers = self._ended.pop(leased.tree.place, NO_COUNT)
        if ended_number != number or not number:
            return
        size, files = shift
        for answer in answers.values():
            size += answer.held_size - answer.size
            files += answer.held_files - answer.files
        leased.is_counted_here = True
        try:
            runs = (self._node.facts.run, *answers)
            await self._node.claims.run(set_count, leased.number, size, files, runs)
        except UNANSWERED:
            return
        finally:
            leased.is_counted_here = False
        await self._rooms.want(leased.tree)
        self._rooms.changed([leased.number])

    async def _asked(
        self, tree: int, number: int, is_end: bool, is_exclusive: bool
    ) -> dict[str, NodeAnswer] | None:
        """Return what all other nodes answer; None if one does not, in time."""
        question = self._open[number, is_end] = OpenQuestion()
        try:
            question.asked = await self._node.claims.run(alive_runs, self._node.facts.run)
        except UNANSWERED as error:
            self._node.unanswered(Failure(error))
            return None
        finally:
            if question.asked is None:
                del self._open[number, is_end]
        limit = self._clock.callLater(ANSWER_SECONDS, question.is_complete.callback, None)
        try:
            if question.asked:
                self._tell(tree, number, is_end, is_exclusive)
            question.check()
            await question.is_complete
        finally:
            del self._open[number, is_end]
            if limit.active():
                limit.cancel()
        return question.answers if question.asked <= question.answers.keys() else None

    def _tell(self, tree: int, number: int, is_end: bool, is_exclusive: bool) -> None:
        self._node.tell(COUNT, tree=tree, number=number, is_end=is_end, is_exclusive=is_exclusive)

    def received(self, message: Mapping[str, Any]) -> None:
        """Take a message of a node."""
        kind, run = message["kind"], self._node.facts.run
        if kind == COUNT and message["from"] != run:
            if message["is_end"]:
                self._over.append(message["number"])
            answering = Deferred.fromCoroutine(self._answer(message))
            answering.addErrback(_not_answered)
        elif kind == COUNTED and message["to"] == run:
            question = self._open.get((message["number"], message["is_end"]))
            if question is not None:
                question.answers[message["from"]] = NodeAnswer(*message["values"])
                question.check()

    async def _answer(self, message: Mapping[str, Any]) -> None:
        number, is_end = message["tree"], message["is_end"]
        leased = self._rooms.numbered(number)
        if leased is None:
            await self._load()
            leased = self._rooms.numbered(number)
        if leased is None:
            return
        tree = leased.tree
        if not is_end:
            await tree.when_announced()
            if message["number"] in self._over:  # nobody waits for the answer any more
                return
            if message["is_exclusive"]:
                await self._excluded(leased, message["number"])
        if not leased.is_joined:
            await self._rooms.want(tree)
        use = room_of(tree).use()
        if is_end:
            self._include(leased, message["number"])
        values = (use.generation, use.changes, use.size, use.files, use.held_size, use.held_files)
        to, count = message["from"], message["number"]
        await self._node.tell(COUNTED, to=to, number=count, is_end=is_end, values=values)

    async def _excluded(self, leased: LeasedTree, count: int) -> None:
        """Have changes of a tree wait for a count, and wait for those in progress."""
        counts = leased.tree.counts
        counts.exclude()
        waiting = self._excluding.setdefault(leased.tree.place, {})
        waiting[count] = self._clock.callLater(COUNT_TIMEOUT_SECONDS, self._include, leased, count)
        while counts.changes and count in waiting:
            await leased.tree.event()

    def _include(self, leased: LeasedTree, count: int) -> None:
        """Let changes wait no more for a count, but for others of the same tree."""
        waiting = self._excluding.get(leased.tree.place, {})
        timer = waiting.pop(count, None)
        if timer is None:
            return
        if timer.active():
            timer.cancel()
        if not waiting:
            del self._excluding[leased.tree.place]
            room_of(leased.tree).include()

    def include_all(self) -> None:
        """Let changes wait no more: the end of a count may not be told, or is not received.

        This holds for the changes of all processes of the node. A count that has not ended is
        invalid once a change has begun.
        """
        for place, waiting in tuple(self._excluding.items()):
            leased = self._rooms.trees.get(place)
            for count, timer in tuple(waiting.items()):
                if leased is None:  # it is not used here any more, perhaps for a moment
                    timer.reset(0)
                else:
                    self._include(leased, count)


def _not_answered(failure: Failure) -> None:
    if failure.check(Busy, *UNANSWERED) is None:
        log.failure("a count of another node gets no answer", failure)
