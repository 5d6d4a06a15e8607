"""Questions between processes."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from ftpservice.session.shared.peer_requests import ANSWER_SECONDS, PeerGone, PeerRequests
from tests.support.memory_transport import is_pending, outcome, start


class Pair:
    """Process 1 asks process 2; messages wait until they are delivered."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.sent: list[tuple[int, tuple[Any, ...]]] = []
        self.one, self.two = (
            PeerRequests(lambda to, message: self.sent.append((to, message)), self.clock)
            for _ in range(2)
        )

    def deliver(self) -> None:
        while self.sent:
            to, message = self.sent.pop(0)
            if to == 1:
                self.one.received(2, message)
            else:
                self.two.received(1, message)


async def doubled(number: int) -> int:
    return number * 2


def test_a_question_gets_its_answer() -> None:
    pair = Pair()
    pair.two.answer("double", doubled)
    asked = [start(pair.one.ask(2, "double", number)) for number in (3, 4)]
    assert all(map(is_pending, asked))
    pair.deliver()
    assert list(map(outcome, asked)) == [6, 8]
    assert pair.clock.getDelayedCalls() == []


def test_an_answer_may_take_its_time_but_not_for_ever() -> None:
    pair, slow = Pair(), Deferred[str]()

    async def wait() -> str:
        return await slow

    pair.two.answer("wait", wait)
    first, second = start(pair.one.ask(2, "wait")), start(pair.one.ask(2, "wait"))
    pair.deliver()
    pair.clock.advance(ANSWER_SECONDS - 1)
    assert is_pending(first)
    pair.clock.advance(1)
    for asked in (first, second):
        with pytest.raises(PeerGone):
            outcome(asked)
    slow.callback("late")
    pair.deliver()


def test_a_process_that_ends_gives_no_answer() -> None:
    pair = Pair()
    other, asked = start(pair.one.ask(3, "double", 1)), start(pair.one.ask(2, "double", 1))
    pair.one.gone(2)
    with pytest.raises(PeerGone):
        outcome(asked)
    assert is_pending(other)
    pair.one.gone(3)
    with pytest.raises(PeerGone):
        outcome(other)
    assert pair.clock.getDelayedCalls() == []


def test_after_the_way_to_the_others_is_closed_nobody_waits() -> None:
    pair = Pair()
    asked = start(pair.one.ask(2, "double", 1))
    pair.one.close()
    for one in (asked, start(pair.one.ask(2, "double", 1))):
        with pytest.raises(PeerGone):
            outcome(one)
    assert pair.clock.getDelayedCalls() == []


def test_an_answer_to_an_earlier_process_in_a_column_is_not_taken() -> None:
    pair = Pair()
    earlier, later = pair.one, PeerRequests(lambda _to, _message: None, pair.clock)
    pair.two.answer("double", doubled)
    asked, other = start(earlier.ask(2, "double", 1)), start(later.ask(2, "double", 5))
    pair.one = later
    pair.deliver()
    assert is_pending(asked) and is_pending(other)
    for peers in (earlier, later):
        peers.close()
    for one in (asked, other):
        with pytest.raises(PeerGone):
            outcome(one)


def test_an_error_is_logged_and_answered_with_none(caplog: pytest.LogCaptureFixture) -> None:
    pair = Pair()

    async def fail() -> None:
        raise ZeroDivisionError

    pair.two.answer("fail", fail)
    asked = start(pair.one.ask(2, "fail"))
    pair.deliver()
    assert outcome(asked) is None


def test_a_question_can_be_cancelled() -> None:
    pair = Pair()
    pair.two.answer("double", doubled)
    asked = start(pair.one.ask(2, "double", 1))
    asked.cancel()
    with pytest.raises(CancelledError):
        outcome(asked)
    pair.deliver()
    assert pair.clock.getDelayedCalls() == []


def test_questions_that_are_not_answered_any_more_are_for_the_next_program() -> None:
    """Also those whose answer was being made; each is answered once."""
    pair, slow = Pair(), Deferred[str]()

    async def wait() -> str:
        return await slow

    pair.two.answer("wait", wait)
    pair.two.answer("double", doubled)
    answered = start(pair.one.ask(2, "double", 1))
    pair.deliver()
    early, late = start(pair.one.ask(2, "wait")), start(pair.one.ask(2, "double", 3))
    early_message = pair.sent.pop(0)[1]
    pair.two.received(1, early_message)
    pair.two.hold()
    slow.callback("too late")
    pair.deliver()
    assert (outcome(answered), is_pending(early), is_pending(late)) == (2, True, True)
    handed = pair.two.unanswered(1)
    assert handed[0] == early_message
    assert [message[2] for message in handed] == ["wait", "double"]
    following = PeerRequests(lambda _to, message: pair.one.received(2, message), pair.clock)
    following.answer("double", doubled)
    following.answer("wait", lambda: doubled(4))
    for message in handed:
        following.received(1, message)
    assert (outcome(early), outcome(late)) == (8, 6)
    assert following.unanswered(1) == []


def test_what_a_process_has_asked_that_has_ended_is_for_nobody() -> None:
    pair = Pair()
    pair.two.hold()
    start(pair.one.ask(2, "double", 1))
    pair.deliver()
    pair.two.gone(1)
    assert pair.two.unanswered(1) == []
    pair.one.close()


@pytest.mark.parametrize("has_ended", [False, True])
def test_a_late_answer_is_for_whom_takes_late_ones(has_ended: bool) -> None:
    """Not one to an earlier process in the same column."""
    pair, late = Pair(), list[int]()
    pair.two.answer("double", doubled)
    asked = start(pair.one.ask(2, "double", 3, late=late.append))
    pair.clock.advance(ANSWER_SECONDS)
    with pytest.raises(PeerGone):
        outcome(asked)
    if has_ended:
        pair.one.gone(2)
    pair.deliver()
    assert late == ([] if has_ended else [6])
    assert pair.one._late == {}
