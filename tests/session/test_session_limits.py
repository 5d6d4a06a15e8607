"""Places and their limits."""

from __future__ import annotations

from ftpservice.session.session_limits import SessionLimits
from tests.support.memory_transport import outcome, start


def test_no_more_sessions_than_the_limit() -> None:
    roster = SessionLimits()
    assert [roster.take("user", "ann", 2) for _ in range(3)] == [True, True, False]
    assert roster.taken("user", "ann") == 2


def test_a_released_place_can_be_taken_again() -> None:
    roster = SessionLimits()
    assert roster.take("user", "ann", 1)
    roster.release("user", "ann")
    assert roster.take("user", "ann", 1)


def test_kinds_and_names_are_counted_separately() -> None:
    roster = SessionLimits()
    assert roster.take("user", "ann", 1)
    assert roster.take("user", "bob", 1)
    assert roster.take("address", "ann", 1)


def test_a_limit_of_0_is_none() -> None:
    roster = SessionLimits()
    assert all(roster.take("all", "", 0) for _ in range(100))


def test_a_process_alone_has_no_other_one_to_ask() -> None:
    roster = SessionLimits()
    assert not roster.is_shared
    assert outcome(start(roster.displace_elsewhere())) is False


def test_names_without_sessions_are_dropped() -> None:
    roster = SessionLimits()
    roster.take("user", "ann", 1)
    roster.release("user", "ann")
    assert roster.taken("user", "ann") == 0
    assert not roster._taken
