"""Many nodes of a cluster in one process, each the real `ClusterNode`, and sessions that they get.

Their clocks drift, their database and the network are simulated. Nodes die and come back, are cut
off, and are drained. A session counts in all and by its user; some have a transfer until their end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from benchmarks.scale.session_book import SessionBook
from benchmarks.scale.simulated_clock import NodeClock, Timeline
from benchmarks.scale.simulated_database import Network, NodeDatabase, SimulatedDatabase
from ftpservice.cluster.cluster_node import ClusterNode
from ftpservice.cluster.cluster_statements import NodeFacts

__all__ = ["Faults", "Load", "SimulatedFleet", "SimulatedNode"]

TIMEOUT_SECONDS = 12.0
CHECK_SECONDS, CHECK_FALLS = 2.0, 2
"""How often haproxy asks a node for its health, and after how many refusals it is left out."""
CHANCES = 50.0
"""How often a second nodes may die or be cut off."""
Key = tuple[str, str]
ALL = ("all", "")


@dataclass(frozen=True)
class Load:
    """What clients do."""

    logins: float = 1.0
    """A second and a node."""
    session_seconds: float = 10.0
    users: int = 100
    most_of_user: int = 3
    most_in_all: int = 1000


@dataclass(frozen=True)
class Faults:
    """What happens to nodes."""

    drift: float = 0.0
    """The most by which clocks are fast or slow, as a part."""
    deaths: float = 0.0
    """A second and a node."""
    dead_seconds: float = 20.0
    cuts: float = 0.0
    """How often a node is cut off from the database, a second and a node."""
    cut_seconds: float = 6.0


@dataclass(eq=False)
class Session:
    """A session, until it has ended."""

    keys: list[Key]
    has_transfer: bool


@dataclass(eq=False)
class SimulatedNode:
    """A node and its sessions."""

    name: str
    cluster: ClusterNode
    clock: NodeClock
    link: NodeDatabase
    sessions: set[Session] = field(default_factory=set)
    is_alive: bool = True
    is_drained: bool = False
    drain_begun: float = 0.0

    @property
    def run(self) -> str:
        """The name of this run."""
        return self.cluster.facts.run


class SimulatedFleet:
    """The nodes; ``counts`` has what happened to sessions."""

    def __init__(self, nodes: int, seed: int, network: Network, faults: Faults, load: Load) -> None:
        self.random = Random(seed)
        self.timeline = Timeline()
        self.database = SimulatedDatabase(self.timeline, network, self.random)
        self.book = SessionBook(self.database.model)
        self.counts: Counter[str] = Counter()
        self.drain_seconds: list[float] = []
        self.faults = faults
        self._load = load
        self._failure: Failure | None = None
        self.nodes: list[SimulatedNode] = []
        for number in range(nodes):
            self.nodes.append(self._new_node(f"node{number}"))
            self._later(self.random.uniform(0, 3), self._starting(self.nodes[-1]))
        self.is_busy = True
        self._each_second(load.logins * nodes, self.arrive)
        self._each_second(CHANCES, lambda: self._with_chance(self.faults.deaths, self._kill_any))
        self._each_second(CHANCES, lambda: self._with_chance(self.faults.cuts, self._cut_any))

    def run(self, seconds: float) -> None:
        """Let time pass; raises what a rule of `SessionBook` raises."""
        ends = self.timeline.now + seconds
        while self.timeline.now < ends:
            self.timeline.run(min(ends, self.timeline.now + 1.0))
            if self._failure is not None:
                self._failure.raiseException()

    def _later(self, seconds: float, function: Callable[[], object]) -> None:
        self.timeline.call_later(seconds, function)

    def _each_second(self, times: float, function: Callable[[], object]) -> None:
        if times <= 0:
            return

        def again() -> None:
            if self.is_busy:
                function()
            self._later(self.random.expovariate(times), again)

        self._later(3 + self.random.expovariate(times), again)

    def _with_chance(self, times: float, function: Callable[[], object]) -> None:
        """Call a function with the chance that it has so many times a second and a node."""
        if self.random.random() < times * len(self.nodes) / CHANCES:
            function()

    def _new_node(self, name: str) -> SimulatedNode:
        random, drift = self.random, self.faults.drift
        rate = 1 + random.uniform(-drift, drift)
        clock = NodeClock(self.timeline, rate, random.uniform(0, 1e6))
        facts = NodeFacts(f"{random.getrandbits(64):016x}", name, "1")
        link = NodeDatabase(self.database, clock, facts.run)
        cluster = ClusterNode(link, facts, TIMEOUT_SECONDS)
        cluster.random = random
        return SimulatedNode(name, cluster, clock, link)

    def _starting(self, node: SimulatedNode) -> Callable[[], None]:
        return node.cluster.startService

    def calm_down(self) -> dict[Key, dict[str, tuple[int, int]]]:
        """End all sessions, and return the places that count some time later: none should."""
        self.is_busy = False
        self.run(60)
        for node in self.nodes:
            for session in tuple(node.sessions):
                self._end(node, session)
        self.run(30)
        model, now = self.database.model, self.timeline.now
        left = {
            key: {run: row for run, row in rows.items() if model.is_alive(run, now)}
            for key, rows in model.places.items()
        }
        return {key: rows for key, rows in left.items() if rows}

    def arrive(self) -> None:
        """Have a client connect, and log in."""
        load, random = self._load, self.random
        known = [node for node in self.nodes if self._is_up(node)]
        if known:
            user = f"user{random.randrange(load.users)}"
            self.begin(random.choice(known), user, random.expovariate(1 / load.session_seconds))

    def _is_up(self, node: SimulatedNode) -> bool:
        """Return whether the balancer takes a node for ready: it learns of a drain later."""
        if node.is_drained:
            return self.timeline.now - node.drain_begun < CHECK_SECONDS * CHECK_FALLS
        return node.is_alive

    def begin(self, node: SimulatedNode, user: str, seconds: float) -> None:
        """Begin a session at a node, unless a limit refuses it."""
        if node.is_drained:
            self.counts["refused by a drain"] += 1
            return
        beginning = Deferred.fromCoroutine(self._begin(node, user, seconds))
        beginning.addErrback(self._failed)

    def _failed(self, failure: Failure) -> None:
        self._failure = self._failure or failure

    async def _begin(self, node: SimulatedNode, user: str, seconds: float) -> None:
        limits, load = node.cluster.limits, self._load
        keys: list[Key] = []
        began = self.timeline.now
        for key, limit in ((ALL, load.most_in_all), (("user", user), load.most_of_user)):
            is_obtained = await limits.obtain(*key, limit)
            if not node.is_alive:
                return
            if not is_obtained:
                self._release(node, keys)
                self.counts[f"refused: {key[0]}"] += 1
                return
            self.book.take(self.timeline.now, node.cluster, key, limit)
            keys.append(key)
        self.counts["begun"] += 1
        self.counts["waited for places"] += self.timeline.now > began
        has_transfer = self.random.random() < 0.5
        session = Session(keys, has_transfer)
        if node.is_drained and not has_transfer:
            self._release(node, keys)
            return
        node.sessions.add(session)
        self._later(seconds, lambda: self._end(node, session))

    def _end(self, node: SimulatedNode, session: Session) -> None:
        if session not in node.sessions:
            return
        node.sessions.remove(session)
        self._release(node, session.keys)
        if session.has_transfer:
            self.counts["transfers complete"] += 1
        self._drained(node)

    def _release(self, node: SimulatedNode, keys: list[Key]) -> None:
        for key in keys:
            self.book.release(node.run, key)
            node.cluster.limits.release(*key)

    def kill(self, node: SimulatedNode) -> None:
        """End a node as a loss of power would."""
        node.is_alive = node.clock.is_running = False
        self.database.listeners.pop(node.run, None)
        self.counts["transfers interrupted"] += sum(one.has_transfer for one in node.sessions)
        node.sessions.clear()
        self.book.forget(node.run)
        self.counts["deaths"] += 1

    def revive(self, node: SimulatedNode) -> None:
        """Start a node again that is dead or has been drained."""
        fresh = self._new_node(node.name)
        self.nodes[self.nodes.index(node)] = fresh
        fresh.cluster.startService()

    def _kill_any(self) -> None:
        alive = [node for node in self.nodes if node.is_alive and not node.is_drained]
        if len(alive) > 1:
            node = self.random.choice(alive)
            self.kill(node)
            dead = self.random.expovariate(1 / self.faults.dead_seconds)
            self._later(dead, lambda: self.revive(node))

    def _cut_any(self) -> None:
        node = self.random.choice(self.nodes)
        self.cut(node, self.random.expovariate(1 / self.faults.cut_seconds))

    def cut(self, node: SimulatedNode, seconds: float) -> None:
        """Cut a node off from the database for a time."""
        node.link.is_cut_off = True

        def heal() -> None:
            node.link.is_cut_off = False

        self._later(seconds, heal)

    def drain(self, node: SimulatedNode) -> None:
        """Let the sessions of a node end after their transfers, restart it when none is left."""
        if node.is_drained or not node.is_alive:
            return
        node.is_drained, node.drain_begun = True, self.timeline.now
        for session in tuple(node.sessions):
            if not session.has_transfer:
                node.sessions.remove(session)
                self._release(node, session.keys)
        self._drained(node)

    def _drained(self, node: SimulatedNode) -> None:
        if node.is_drained and node.is_alive and not node.sessions:
            node.is_alive = False
            self.book.forget(node.run)
            self.drain_seconds.append(self.timeline.now - node.drain_begun)
            Deferred.fromCoroutine(node.cluster.close()).addErrback(self._failed)
            self._later(4.0, lambda: self.revive(node))
