"""Places that a node holds: what is asked of the database, and what is taken without it."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from ftpservice.accounts.account_store import StoreUnavailable
from ftpservice.cluster.cluster_statements import Claim, Grant
from ftpservice.cluster.leased_session_limits import LeasedSessionLimits
from ftpservice.cluster.place_leases import RETRY_SECONDS, ShareRule

THREE = ShareRule(3, 0)


class Node:
    """A node whose questions to the database the test answers."""

    def __init__(self, known: bool = True) -> None:
        self.clock = Clock()
        self.asked: list[tuple[list[Claim], Deferred[list[Grant]]]] = []
        self.limits = LeasedSessionLimits(self._ask, self.clock)
        self.leases = self.limits.leases
        if known:
            self.leases.renewed(1000.0, THREE, True)

    def _ask(self, claims: Sequence[Claim]) -> Deferred[list[Grant]]:
        answer: Deferred[list[Grant]] = Deferred()
        self.asked.append((list(claims), answer))
        return answer

    def obtain(self, name: str = "ann", limit: int = 3) -> list[bool]:
        """Ask for a place; return a list that gets the answer."""
        found: list[bool] = []
        Deferred.fromCoroutine(self.limits.obtain("user", name, limit)).addCallback(found.append)
        self.clock.advance(0)
        return found

    def claims(self) -> list[Claim]:
        """Return the claims that wait for an answer."""
        self.clock.advance(0)
        return self.asked[-1][0] if self.asked else []

    def answer(self, *grants: tuple[int, bool]) -> None:
        """Answer the question that waits."""
        _claims, answer = self.asked.pop()
        answer.callback([Grant(*one) for one in grants])
        self.clock.advance(0)


def test_a_place_is_asked_for_once_and_spare_ones_need_no_question() -> None:
    node = Node()
    found = node.obtain()
    assert node.claims() == [Claim("user", "ann", 0, 1, 3)]
    node.answer((3, False))
    assert found == [True]
    assert node.limits.take("user", "ann", 3)
    assert node.limits.take("user", "ann", 3)
    assert not node.limits.take("user", "ann", 3)
    assert node.asked == []


def test_a_lower_limit_holds_at_once() -> None:
    node = Node()
    node.obtain()
    node.answer((3, False))
    assert not node.limits.take("user", "ann", 1)


def test_what_is_asked_meanwhile_goes_into_the_next_question() -> None:
    node = Node()
    found = [node.obtain(), node.obtain(), node.obtain("ben")]
    assert len(node.asked) == 1
    assert node.claims() == [Claim("user", "ann", 0, 1, 3)]
    node.answer((1, False))
    assert found == [[True], [], []]
    assert node.claims() == [Claim("user", "ann", 1, 2, 3), Claim("user", "ben", 0, 1, 3)]
    node.answer((1, False), (1, False))
    assert found == [[True], [False], [True]]


def test_while_a_claim_is_under_way_no_more_is_taken_than_it_says() -> None:
    node = Node()
    node.obtain()
    node.answer((3, False))
    node.limits.take("user", "ann", 3)
    node.leases.give_back(("user", "ann"))
    assert node.claims() == [Claim("user", "ann", 2, 2, 3)]
    assert not node.limits.take("user", "ann", 3)
    node.answer((2, False))


def test_the_place_of_a_session_that_ended_is_given_back_at_once_where_places_are_few() -> None:
    node = Node()
    node.obtain()
    node.answer((1, False))
    node.limits.release("user", "ann")
    assert node.claims() == [Claim("user", "ann", 0, 0, 3)]
    node.answer((0, False))
    assert node.asked == []


def test_spare_places_are_kept_for_the_next_session_and_given_back_after_a_while() -> None:
    node = Node()
    node.obtain(limit=1000)
    node.answer((17, False))
    node.limits.release("user", "ann")
    assert node.claims() == []
    for _ in range(3):
        node.leases.renewed(1000.0, THREE, True)
        node.clock.advance(3)
    assert node.claims() == [Claim("user", "ann", 0, 0, 1000)]


def test_places_that_another_node_does_not_use_are_waited_for() -> None:
    node, lacking = Node(), []
    node.leases.lacks = lacking.append
    found = node.obtain()
    node.answer((0, True))
    assert (found, lacking) == ([], [("user", "ann")])
    node.clock.advance(0.05)
    node.answer((0, True))
    node.clock.advance(0.2)
    node.answer((1, False))
    assert found == [True]


def test_places_of_other_nodes_are_not_waited_for_without_end() -> None:
    node = Node()
    found = node.obtain()
    for seconds in RETRY_SECONDS:
        node.answer((0, True))
        assert found == []
        node.clock.advance(seconds)
    node.answer((0, True))
    assert found == [False]


def test_a_session_that_waits_no_more_gives_its_place_back() -> None:
    node = Node()
    asking = Deferred.fromCoroutine(node.limits.obtain("user", "ann", 3))
    asking.addErrback(lambda _cancelled: None)
    assert node.claims() == [Claim("user", "ann", 0, 1, 3)]
    asking.cancel()
    node.answer((1, False))
    assert node.claims() == [Claim("user", "ann", 0, 0, 3)]


def test_without_the_database_a_node_hands_out_its_share() -> None:
    node = Node()
    node.leases.suspend()
    found = [node.obtain(limit=6) for _ in range(3)]
    assert found == [[True], [True], [False]]
    assert node.asked == []


def test_sessions_that_wait_when_the_database_fails_get_the_share() -> None:
    node, failed = Node(), []
    node.leases.failed = failed.append
    found = [node.obtain(), node.obtain()]
    _claims, answer = node.asked.pop()
    answer.errback(Failure(StoreUnavailable("gone")))
    assert found == [[True], [False]]
    assert len(failed) == 1


def test_the_shares_of_all_nodes_are_the_limit_and_at_least_one_each() -> None:
    for limit in (3, 4, 5, 200, 10_000):
        key = ("user", f"ann{limit}")
        assert sum(ShareRule(3, rank).share(key, limit) for rank in range(3)) == limit
    assert [ShareRule(3, rank).share(("user", "ann"), 1) for rank in range(3)] == [1, 1, 1]


def test_when_the_database_answers_again_what_is_used_is_claimed() -> None:
    node = Node()
    node.obtain(limit=9)
    node.answer((2, False))
    node.leases.suspend()
    for _ in range(2):
        node.limits.take("user", "ann", 9)
    assert not node.limits.take("user", "ann", 9)
    node.leases.renewed(1000.0, THREE, False)
    assert node.claims() == [Claim("user", "ann", 3, 3, 9)]
    node.answer((3, False))
    assert not node.limits.take("user", "ann", 9)


def test_an_answer_from_before_the_database_was_away_says_nothing() -> None:
    node = Node()
    found = node.obtain(limit=9)
    node.leases.suspend()
    assert found == [True]
    node.leases.renewed(1000.0, THREE, False)
    assert not node.limits.take("user", "ann", 9)
    node.answer((9, False))  # others may have those places by now
    assert not node.limits.take("user", "ann", 9)
    assert node.claims() == [Claim("user", "ann", 1, 1, 9)]
    node.answer((1, False))
    assert not node.limits.take("user", "ann", 9)


def test_places_are_given_back_even_if_that_fails_at_first() -> None:
    node = Node()
    node.obtain()
    node.answer((1, False))
    node.limits.release("user", "ann")
    assert node.claims() == [Claim("user", "ann", 0, 0, 3)]
    _claims, answer = node.asked.pop()
    node.leases.renewed(1000.0, THREE, True)
    answer.errback(Failure(StoreUnavailable("gone")))
    node.leases.renewed(1000.0, THREE, True)
    assert node.claims() == [Claim("user", "ann", 0, 0, 3)]


def test_leases_end_by_themselves() -> None:
    node = Node()
    node.obtain(limit=9)
    node.answer((9, False))
    node.clock.advance(1001)
    taken = sum(node.limits.take("user", "ann", 9) for _ in range(9))
    assert taken == 2  # with the first one its share


def test_an_answer_after_the_end_of_the_leases_lets_sessions_go_on_alone() -> None:
    node = Node()
    found = node.obtain()
    node.clock.advance(1001)
    node.answer((3, False))
    assert found == [True]
    assert not node.limits.take("user", "ann", 3)


def test_at_the_start_sessions_wait_until_it_is_known_whether_the_database_answers() -> None:
    first, second = Node(known=False), Node(known=False)
    found = [first.obtain(), second.obtain()]
    assert found == [[], []]
    first.leases.suspend()
    assert found == [[True], []]
    second.leases.renewed(1000.0, THREE, False)
    assert second.claims() == [Claim("user", "ann", 0, 1, 3)]
    second.answer((1, False))
    assert found == [[True], [True]]


def test_no_limit_needs_no_place() -> None:
    node = Node(known=False)
    assert all(node.limits.take("user", "ann", 0) for _ in range(5))
    assert node.asked == []


def test_nothing_is_left_of_clients_that_have_come_and_gone_while_the_database_is_away() -> None:
    node = Node()
    found = node.obtain("ben")
    node.leases.suspend()  # the database may have carried out the claim
    assert found == [True]
    for number in range(100):
        address = f"192.0.2.{number}"
        assert node.limits.take("address", address, 3)
        node.limits.release("address", address)
    node.limits.release("user", "ben")
    assert list(node.leases.holdings) == [("user", "ben")]
