"""Rate limits of users over several nodes."""

from __future__ import annotations

import json
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from ftpservice.cluster.cluster_node import ClusterNode, ClusterStatus
from ftpservice.cluster.cluster_rates import (
    KEYS_PER_MESSAGE,
    KEYS_PER_TURN,
    ClusterRateLimiters,
    NodeRateLink,
)
from ftpservice.cluster.cluster_statements import NodeFacts
from ftpservice.stream.rate_limit import RateLimiter

ANN = ("ann", True)


class Wire:
    """What a node has of its cluster here: messages go to all nodes at once."""

    is_connected = True
    status = ClusterStatus("", 4, "")

    def __init__(self, run: str, clock: Clock, others: list[Wire]) -> None:
        self.facts = NodeFacts(run, run, "1")
        self.rates = ClusterRateLimiters(NodeRateLink(cast(ClusterNode, self)), clock)
        self.sent: list[dict[str, Any]] = []
        self._all = others
        others.append(self)

    def tell(self, kind: str, **values: Any) -> Deferred[Any]:
        message = {"kind": kind, "from": self.facts.run, **values}
        self.sent.append(message)
        for node in self._all:
            node.rates.received(message)
        return Deferred()


def nodes(count: int) -> tuple[Clock, list[Wire]]:
    clock, found = Clock(), list[Wire]()
    for number in range(count):
        Wire(f"n{number}", clock, found)
    return clock, found


def transfer(limiter: RateLimiter) -> None:
    """Use a limit without end."""

    async def move() -> None:
        while True:
            await limiter.take(1000)

    Deferred.fromCoroutine(move())


def test_one_node_has_the_whole_rate() -> None:
    clock, (first, _second) = nodes(2)
    limiter = first.rates.join(ANN, 9000)
    transfer(limiter)
    clock.pump([0.1] * 50)
    assert limiter.rate == 9000


def test_nodes_with_transfers_have_even_parts() -> None:
    clock, wires = nodes(3)
    limiters = []
    for wire in wires:
        limiters.append(wire.rates.join(ANN, 9000))
        transfer(limiters[-1])
        clock.advance(0)
    assert [one.rate for one in limiters] == [3000, 3000, 3000]
    clock.pump([0.1] * 50)
    assert [one.rate for one in limiters] == [3000, 3000, 3000]
    assert wires[0].rates.join(("ben", True), 9000).rate == 9000


def test_a_node_whose_transfers_have_ended_gives_its_part_back() -> None:
    clock, (first, second) = nodes(2)
    mine, idle = first.rates.join(ANN, 9000), second.rates.join(ANN, 9000)
    transfer(mine)
    clock.advance(0)
    assert mine.rate == 4500
    clock.pump([0.1] * 60)
    assert mine.rate == 9000
    transfer(idle)
    clock.pump([0.1] * 12)
    assert (mine.rate, idle.rate) == (4500, 4500)
    second.rates.leave(ANN)
    assert second.rates.in_use == 0


def test_without_the_database_the_part_is_that_of_one_of_all_nodes() -> None:
    clock, (first,) = nodes(1)
    limiter = first.rates.join(ANN, 8000)
    clock.advance(0)
    first.is_connected = False
    clock.advance(1.1)
    assert limiter.rate == 2000
    assert first.sent == [{"kind": "rates", "from": "n0", "keys": [ANN]}]


def test_many_limits_are_told_in_several_messages() -> None:
    clock, (first, _second) = nodes(2)
    for number in range(KEYS_PER_MESSAGE + 1):
        first.rates.join((f"user{number}", False), 1000)
    first.rates.join(("x" * 200, False), 1000)
    clock.advance(0)
    assert [len(one["keys"]) for one in first.sent] == [KEYS_PER_MESSAGE, 1]


def test_long_names_beyond_ascii_fit_into_the_messages() -> None:
    clock, (first, _second) = nodes(2)
    names = [f"{number:02}{'ж' * 60}" for number in range(KEYS_PER_MESSAGE)]
    for name in names:
        first.rates.join((name, False), 1000)
    clock.advance(0)
    assert [name for one in first.sent for name, _ in one["keys"]] == names
    assert max(len(json.dumps(one)) for one in first.sent) < 8000


def test_what_is_told_for_longer_counts_until_it_is_told_again() -> None:
    clock, (first, second) = nodes(2)
    limiter = first.rates.join(ANN, 9000)
    transfer(limiter)
    second.tell("rates", keys=[ANN], seconds=30.0)
    clock.pump([0.5] * 40)
    assert limiter.rate == 4500
    second.tell("rates", keys=[ANN])
    clock.pump([0.5] * 10)
    assert limiter.rate == 9000


class TurnClock(Clock):
    """Counts its turns: what is called later, even without a delay, has one of its own."""

    turns = 0

    def callLater(self, when: float, what: Any, *words: Any, **names: Any) -> Any:
        def turn() -> None:
            self.turns += 1
            what(*words, **names)

        return super().callLater(when, turn)


def test_thousands_of_limits_are_told_in_turns_and_a_new_one_alone() -> None:
    clock, count = TurnClock(), 2 * KEYS_PER_TURN + 1
    first = Wire("n0", clock, [])
    keys = [(f"user{number}", False) for number in range(count)]
    for key in keys:
        transfer(first.rates.join(key, 1000))
    clock.advance(0)
    assert [key for one in first.sent for key in one["keys"]] == keys
    assert clock.turns == 3
    first.sent.clear()
    first.rates.join(ANN, 9000)
    clock.advance(0)
    assert [one["keys"] for one in first.sent] == [[ANN]]
    first.sent.clear()
    clock.turns = 0
    clock.advance(1.0)
    assert [key for one in first.sent for key in one["keys"]] == keys  # that of ann is idle
    assert clock.turns >= 3
    for key in keys:
        first.rates.leave(key)


def test_nothing_runs_when_no_limit_is_in_use() -> None:
    clock, (first,) = nodes(1)
    first.rates.join(ANN, 1000)
    first.rates.leave(ANN)
    clock.advance(2)
    assert clock.getDelayedCalls() == []
