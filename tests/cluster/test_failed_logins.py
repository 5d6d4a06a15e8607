"""Failed logins over several nodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from ftpservice.accounts.defence.bans import BanList, BanRules
from ftpservice.accounts.defence.login_attempts import FAILURE_ALLOWANCE, LoginAttempts
from ftpservice.cluster.cluster_node import ClusterNode
from ftpservice.cluster.cluster_statements import NodeFacts
from ftpservice.cluster.failed_logins import ADDRESSES_PER_MESSAGE, FailedLoginExchange
from ftpservice.events import LoggedIn, LoginFailed, LoginRefusal

PEER = "203.0.113.7"


class Wire:
    """What a node has of its cluster here: messages go to all nodes at once."""

    def __init__(self, run: str, all_nodes: list[Wire]) -> None:
        self.facts = NodeFacts(run, run, "1")
        self.is_connected = True
        self.receivers: list[Callable[[dict[str, Any]], object]] = []
        self.sent: list[dict[str, Any]] = []
        self._all = all_nodes
        all_nodes.append(self)

    def tell(self, kind: str, **values: Any) -> Deferred[None]:
        message = {"kind": kind, "from": self.facts.run, **values}
        self.sent.append(message)
        for node in self._all:
            for receive in node.receivers:
                receive(message)
        return Deferred()


class Counting:
    """A node that counts failed logins."""

    def __init__(self, run: str, clock: Clock, nodes: list[Wire]) -> None:
        self.wire = Wire(run, nodes)
        self.clock = clock
        self.attempts = LoginAttempts(clock)
        self.bans = BanList(clock.seconds, BanRules(30.0, 600.0))
        node = cast(ClusterNode, self.wire)
        self.logins = FailedLoginExchange(node, self.attempts, self.bans, clock)

    def fail(self, peer: str = PEER, reason: LoginRefusal = LoginRefusal.WRONG_PASSWORD) -> None:
        event = LoginFailed(0.0, 1, peer, "ann", reason)
        self.bans.count_failure(event)
        self.logins(event)

    def may_try(self, peer: str = PEER) -> bool:
        asking = Deferred.fromCoroutine(self.attempts.admit(peer))
        is_admitted = bool(asking.called)
        if is_admitted:
            self.attempts.abandoned(peer)
        else:
            asking.addErrback(lambda _cancelled: None)
            asking.cancel()
        return is_admitted


def two() -> tuple[Clock, Counting, Counting]:
    clock, nodes = Clock(), list[Wire]()
    return clock, Counting("a", clock, nodes), Counting("b", clock, nodes)


def test_failures_at_one_node_delay_the_attempts_at_another() -> None:
    clock, first, second = two()
    for _ in range(FAILURE_ALLOWANCE):
        first.fail()
    assert second.may_try()
    clock.advance(0.2)
    assert not second.may_try()
    assert second.may_try("203.0.113.8")
    assert len(first.wire.sent) == 1


def test_failures_at_all_nodes_together_ban_an_address() -> None:
    clock, first, second = two()
    for _ in range(15):
        first.fail()
        second.fail()
    clock.advance(0.2)
    assert first.bans.refusal(PEER) is not None
    assert second.bans.refusal(PEER) is not None


def test_a_success_makes_up_for_a_failure_elsewhere_and_is_told_only_then() -> None:
    clock, first, second = two()
    first.logins(LoggedIn(0.0, 1, PEER, "ann"))
    clock.advance(0.2)
    assert first.wire.sent == []
    first.fail()
    clock.advance(0.2)
    assert second.attempts.remembers(PEER)
    second.logins(LoggedIn(0.0, 1, PEER, "ann"))
    clock.advance(0.2)
    assert second.wire.sent[-1]["counts"] == {PEER: [0, 1, 0.0]}


def test_a_refusal_that_is_no_guess_is_not_told() -> None:
    clock, first, _second = two()
    first.fail(reason=LoginRefusal.THROTTLED)
    first.fail(peer="local")
    clock.advance(0.2)
    assert first.wire.sent == []


def test_many_addresses_are_told_in_several_messages() -> None:
    clock, first, _second = two()
    for number in range(ADDRESSES_PER_MESSAGE + 1):
        first.fail(f"203.0.{number // 250}.{number % 250 + 1}")
    clock.advance(0.1)
    clock.advance(0.1)
    assert [len(one["counts"]) for one in first.wire.sent] == [ADDRESSES_PER_MESSAGE, 1]


def test_nothing_is_told_while_the_database_is_away() -> None:
    clock, first, _second = two()
    first.wire.is_connected = False
    first.fail()
    clock.advance(0.2)
    assert first.wire.sent == []
    first.fail()
    first.logins.close()
    assert clock.getDelayedCalls() == []


def test_the_last_failures_are_told_before_a_node_leaves() -> None:
    clock, first, second = two()
    for number in range(ADDRESSES_PER_MESSAGE + 1):
        first.fail(f"203.0.113.{number + 1}")
    first.logins.close()
    assert second.attempts.remembers("203.0.113.1")
    assert second.attempts.remembers(f"203.0.113.{ADDRESSES_PER_MESSAGE + 1}")
    assert clock.getDelayedCalls() == []
