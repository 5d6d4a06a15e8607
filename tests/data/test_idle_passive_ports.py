"""Passive ports that nobody uses."""

from __future__ import annotations

from twisted.internet.task import Clock

from ftpservice.data.idle_passive_ports import IdlePassivePorts


class Holding:
    """A session that listens."""

    def __init__(self, *, is_used: bool = False) -> None:
        self.is_used = is_used
        self.dropped = 0

    def has_idle_port(self) -> bool:
        return not self.is_used

    def close_idle_port(self, problem: str) -> None:
        assert problem
        self.dropped += 1
        self.is_used = True


def test_each_is_dropped_after_its_time() -> None:
    clock = Clock()
    unused = IdlePassivePorts(clock)
    first, second, taken = Holding(), Holding(), Holding()
    unused.add(first, "192.0.2.1", 30)
    unused.add(taken, "192.0.2.1", 30)
    clock.advance(20)
    unused.add(second, "192.0.2.1", 30)
    unused.discard(taken)
    clock.advance(9.9)
    assert [first.dropped, second.dropped] == [0, 0]
    clock.advance(0.1)
    assert [first.dropped, second.dropped] == [1, 0]
    clock.advance(20)
    assert [first.dropped, second.dropped, taken.dropped] == [1, 1, 0]
    assert not clock.getDelayedCalls()


def test_a_new_port_of_a_session_has_its_time_from_the_start() -> None:
    clock = Clock()
    unused = IdlePassivePorts(clock)
    holder = Holding()
    unused.add(holder, "192.0.2.1", 30)
    clock.advance(29)
    unused.add(holder, "192.0.2.1", 30)
    clock.advance(29)
    assert not holder.dropped
    clock.advance(1)
    assert holder.dropped


def test_without_a_time_it_stays() -> None:
    clock = Clock()
    IdlePassivePorts(clock).add(Holding(), "192.0.2.1", 0)
    assert not clock.getDelayedCalls()


def test_room_is_made_by_the_oldest_of_the_address_that_holds_most() -> None:
    unused = IdlePassivePorts(Clock())
    one, *many = (Holding() for _ in range(4))
    used = [Holding(is_used=True) for _ in range(5)]
    for holder in used:
        unused.add(holder, "192.0.2.9", 30)
    unused.add(one, "192.0.2.1", 30)
    for number, holder in enumerate(many):
        unused.add(holder, f"2001:db8:1:1::{number}", 30)
    for expected in ([0, 1, 0, 0], [0, 1, 1, 0], [1, 1, 1, 0], [1, 1, 1, 1]):
        assert unused.reclaim_port()
        assert [holder.dropped for holder in (one, *many)] == expected
    assert not unused.reclaim_port()
    assert not any(holder.dropped for holder in used)


def test_nothing_is_left_when_all_have_gone() -> None:
    clock = Clock()
    unused = IdlePassivePorts(clock)
    holder = Holding()
    unused.add(holder, "192.0.2.1", 30)
    assert clock.getDelayedCalls()
    unused.discard(holder)
    assert not clock.getDelayedCalls()
