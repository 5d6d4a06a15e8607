"""A database of a cluster in a simulation, and the network between it and the nodes.

Messages take time, some of them seconds, and some are lost: then a node waits until its time limit.
What was on its way when a node gave up may be carried out long afterwards, while the node is served
on another connection. The database can be stopped, frozen, or crash and lose its unlogged tables.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from twisted.internet.defer import Deferred, succeed

from benchmarks.scale.cluster_model import ClaimFailed, ClusterModel
from benchmarks.scale.simulated_clock import NodeClock, Timeline
from ftpservice.accounts.account_store import StoreUnavailable
from ftpservice.cluster.cluster_calls import FIRST_SECONDS
from ftpservice.cluster.cluster_listener import RETRY_SECONDS, notify
from ftpservice.cluster.cluster_statements import beat, claim, forget_gone, leave

__all__ = ["Network", "NodeDatabase", "SimulatedDatabase"]

HANDSHAKE_TRIPS = 6
"""Of a connection to PostgreSQL with a password, before its first statement."""
MAX_STALE_SECONDS = 8.0
"""How long after it was sent a message without a receiver may still arrive."""
Work = Callable[..., Any]


@dataclass(frozen=True)
class Network:
    """How messages travel, each way."""

    seconds: float = 0.001
    """The mean time of a message."""
    slow: float = 0.0
    """The part of messages that are late by ``slow_seconds`` more, in the mean."""
    slow_seconds: float = 1.0
    lost: float = 0.0
    """The part of messages that do not arrive in time, or never."""


class SimulatedDatabase:
    """The database; ``work_counts`` has what was carried out."""

    def __init__(self, timeline: Timeline, network: Network, random: Random) -> None:
        self.timeline = timeline
        self.network = network
        self.random = random
        self.model = ClusterModel()
        self.work_counts: Counter[str] = Counter()
        self.delivered = 0
        self.rows_read = 0
        """Rows of nodes that heartbeats and claims have looked at."""
        self.is_stopped = self.is_frozen = False
        self._frozen: list[Callable[[], None]] = []
        self.listeners: dict[str, SimulatedListener] = {}

    def trip(self) -> float | None:
        """Return how long a message takes; None: it does not arrive in time."""
        random, network = self.random, self.network
        if network.lost and random.random() < network.lost:
            return None
        seconds = random.expovariate(1 / network.seconds)
        if network.slow and random.random() < network.slow:
            seconds += random.expovariate(1 / network.slow_seconds)
        return seconds

    def arrive(self, work: Callable[[], None]) -> None:
        """Carry out what has arrived, when the database does so."""
        if self.is_frozen:
            self._frozen.append(work)
        elif not self.is_stopped:
            work()

    def carry_out(self, work: Work, words: tuple[Any, ...]) -> Any:
        """Return the result of a function of `cluster_statements` or its neighbours."""
        now, model = self.timeline.now, self.model
        self.work_counts[getattr(work, "__name__", str(work))] += 1
        if work is beat:
            facts, _state, seconds = words
            self.rows_read += 2 * len(model.nodes)
            return model.beat(now, facts, seconds)
        if work is claim:
            self.rows_read += len(model.nodes)
            return model.claim(now, *words)
        if work is leave:
            return model.leave(*words)
        if work is forget_gone:
            return model.forget_gone(now)
        if work is notify:
            return self._notify(*words)
        return work(None)

    def _notify(self, message: dict[str, Any]) -> None:
        for listener in tuple(self.listeners.values()):
            seconds = self.trip()
            if seconds is not None:
                self.delivered += 1
                self.timeline.call_later(seconds, lambda to=listener: to.deliver(message))

    def freeze(self) -> None:
        """Answer no more; what arrives on open connections is carried out later."""
        self.is_frozen = True

    def stop(self, *, is_crash: bool = False) -> None:
        """End all connections and refuse others."""
        self.is_stopped = True
        if is_crash:
            self.model.crash(self.timeline.now)
        closed, self.listeners = self.listeners, {}
        for listener in closed.values():
            seconds = self.trip()
            if seconds is not None:
                self.timeline.call_later(seconds, listener.closed)

    def start(self) -> None:
        """Answer again."""
        self.is_stopped = self.is_frozen = False
        frozen, self._frozen = self._frozen, []
        for work in frozen:
            work()


@dataclass(eq=False)
class Call:
    """A call of a node, until it is answered."""

    work: Work
    words: tuple[Any, ...]
    answer: Deferred[Any]
    limit: Any = None


class SimulatedCalls:
    """Stands for `ClusterCalls`: one call at a time on a connection, each with a time limit."""

    def __init__(self, of: NodeDatabase, seconds: float) -> None:
        self._of = of
        self._seconds = seconds
        self._waiting: deque[Call] = deque()
        self._running: Call | None = None
        self._is_open = self._has_answered = False

    def run(self, work: Work, *words: Any) -> Deferred[Any]:
        """Return what the database answers; fails with `StoreUnavailable`."""
        call = Call(work, words, Deferred())
        seconds = self._seconds if self._has_answered else max(self._seconds, FIRST_SECONDS)
        call.limit = self._of.reactor.callLater(seconds, self._late, call)
        self._waiting.append(call)
        self._next()
        return call.answer

    def run_file_call(self, function: Work, *words: Any) -> Deferred[Any]:
        """Call a function at once."""
        return succeed(function(*words))

    async def close(self) -> None:
        """Close the connection."""
        self._interrupt()

    def _next(self) -> None:
        if self._running is None and self._waiting:
            self._running = call = self._waiting.popleft()
            self._of.send(call, self._is_open, lambda result: self._answered(call, result))

    def _answered(self, call: Call, result: Any) -> None:
        if self._running is not call:
            return
        self._is_open = not isinstance(result, Exception)
        self._running = None
        self._finish(call, result)
        self._next()

    def _finish(self, call: Call, result: Any) -> None:
        if call.answer.called:
            return
        if call.limit.active():
            call.limit.cancel()
        self._has_answered = True
        if isinstance(result, Exception):
            call.answer.errback(result)
        else:
            call.answer.callback(result)

    def _late(self, call: Call) -> None:
        self._has_answered = True
        running = self._running
        if running is not call:
            self._finish(call, StoreUnavailable("no answer in time"))
        self._interrupt()

    def _interrupt(self) -> None:
        call, self._running = self._running, None
        self._is_open = False
        if call is not None:
            self._finish(call, StoreUnavailable("no answer in time"))
            self._next()


class SimulatedListener:
    """Stands for `ClusterListener`."""

    disconnected: Callable[[], object] = bool

    def __init__(
        self, of: NodeDatabase, received: Callable[[Any], object], connected: Callable[[], object]
    ) -> None:
        self._of = of
        self._received = received
        self._connected = connected
        self._is_running = False

    def start(self) -> None:
        """Begin to listen."""
        self._is_running = True
        self._connect()

    def lost(self) -> None:
        """Connect again."""
        self._of.database.listeners.pop(self._of.run, None)
        self._of.reactor.callLater(RETRY_SECONDS, self._connect)

    def closed(self) -> None:
        """Note that the server has closed the connection."""
        if self._is_running and self._of.reactor.is_running and not self._of.is_cut_off:
            self.disconnected()
            self._of.reactor.callLater(RETRY_SECONDS, self._connect)

    async def stop(self) -> None:
        """Listen no more."""
        self._is_running = False
        self._of.database.listeners.pop(self._of.run, None)

    def _connect(self) -> None:
        database = self._of.database
        if not self._is_running or self._of.run in database.listeners:
            return
        if database.is_stopped or database.is_frozen or self._of.is_cut_off:
            self._of.reactor.callLater(RETRY_SECONDS, self._connect)
        else:
            database.listeners[self._of.run] = self
            self._connected()

    def deliver(self, message: dict[str, Any]) -> None:
        """Take a message."""
        if self._is_running and self._of.reactor.is_running and not self._of.is_cut_off:
            self._received(message)


class NodeDatabase:
    """Stands for `ClusterDatabase`: the connections of one node, which may be cut off."""

    place = "simulated"

    def __init__(self, database: SimulatedDatabase, reactor: NodeClock, run: str) -> None:
        self.database = database
        self.reactor = reactor
        self.run = run
        self.is_cut_off = False

    def calls(self, _name: str, seconds: float) -> SimulatedCalls:
        """Return a connection for calls."""
        return SimulatedCalls(self, seconds)

    def listener(
        self, received: Callable[[Any], object], connected: Callable[[], object]
    ) -> SimulatedListener:
        """Return a connection that waits for messages."""
        return SimulatedListener(self, received, connected)

    def send(self, call: Call, is_open: bool, answered: Callable[[Any], None]) -> None:
        """Have a call carried out, on an open connection or on a new one."""
        database, timeline = self.database, self.database.timeline
        seconds = 0.0
        if not is_open:
            if database.is_frozen:
                return
            seconds = HANDSHAKE_TRIPS * database.network.seconds
        trip = database.trip()
        if trip is None or self.is_cut_off:
            self._send_late(call)
            return
        if database.is_stopped:
            timeline.call_later(
                seconds + 2 * trip, lambda: self._back(answered, StoreUnavailable("refused"))
            )
            return
        timeline.call_later(
            seconds + trip, lambda: database.arrive(lambda: self._carry_out(call, answered))
        )

    def _send_late(self, call: Call) -> None:
        """Have a call carried out after the node has given up, or not at all."""
        random = self.database.random
        if random.random() < 0.5:
            self.database.timeline.call_later(
                random.uniform(0, MAX_STALE_SECONDS),
                lambda: self.database.arrive(lambda: self._carry_out(call, _ignored)),
            )

    def _carry_out(self, call: Call, answered: Callable[[Any], None]) -> None:
        try:
            result = self.database.carry_out(call.work, call.words)
        except ClaimFailed:
            result = StoreUnavailable("the claim failed")
        trip = self.database.trip()
        if trip is not None and not self.is_cut_off:
            self.database.timeline.call_later(trip, lambda: self._back(answered, result))

    def _back(self, answered: Callable[[Any], None], result: Any) -> None:
        if self.reactor.is_running and not self.is_cut_off:
            answered(result)


def _ignored(_result: Any) -> None:
    """Take an answer that nobody waits for."""
