import pytest
from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock

from ftpservice.stream.errors import TransferStalled
from ftpservice.stream.stall_timeout import StallDetector, StallTimeout, Wakeup
from tests.support.memory_transport import is_pending, outcome, start


class TestBell:
    def test_ringing_wakes_the_one_that_waits(self):
        clock = Clock()
        bell = Wakeup(clock)
        waiting = start(bell.wait(5))
        bell.wake_waiter()
        assert outcome(waiting) is True
        assert clock.getDelayedCalls() == []

    def test_time_that_passes_wakes_it_too(self):
        clock = Clock()
        waiting = start(Wakeup(clock).wait(5))
        clock.advance(5)
        assert outcome(waiting) is False

    def test_zero_seconds_are_for_ever(self):
        clock = Clock()
        waiting = start(Wakeup(clock).wait(0))
        clock.advance(10**9)
        assert is_pending(waiting)
        waiting.addErrback(lambda _: None).cancel()

    def test_ringing_for_nobody_is_forgotten(self):
        bell = Wakeup(Clock())
        bell.wake_waiter()
        waiting = start(bell.wait(0))
        assert is_pending(waiting)
        bell.wake_waiter()
        assert outcome(waiting) is True

    def test_cancelling_leaves_no_timer(self):
        clock = Clock()
        bell = Wakeup(clock)
        waiting = start(bell.wait(5))
        waiting.cancel()
        with pytest.raises(CancelledError):
            outcome(waiting)
        assert clock.getDelayedCalls() == []
        bell.wake_waiter()

    def test_the_woken_one_may_wait_again_at_once(self):
        clock = Clock()
        bell = Wakeup(clock)

        async def twice():
            return await bell.wait(5), await bell.wait(5)

        waiting = start(twice())
        bell.wake_waiter()
        clock.advance(5)
        assert outcome(waiting) == (True, False)


class TestStandstill:
    def test_the_same_number_for_the_whole_timeout_is_a_stall(self):
        clock = Clock()
        standstill = StallDetector(clock, 8, lambda: 3)
        clock.advance(7.9)
        standstill.check()
        clock.advance(0.1)
        with pytest.raises(TransferStalled, match="8 seconds"):
            standstill.check()

    def test_a_change_begins_the_count_anew(self):
        clock = Clock()
        numbers = [1, 2, 2, 2]
        standstill = StallDetector(clock, 8, lambda: numbers.pop(0))
        clock.advance(8)
        standstill.check()
        clock.advance(7)
        standstill.check()
        clock.advance(1)
        with pytest.raises(TransferStalled):
            standstill.check()

    def test_a_timeout_of_zero_never_comes(self):
        clock = Clock()
        standstill = StallDetector(clock, 0)
        clock.advance(10**9)
        standstill.check()


class TestPatience:
    def test_it_ends_after_the_timeout(self):
        clock = Clock()
        waiting = start(StallTimeout(clock, 60).wait())
        clock.pump([15, 15, 15])
        assert is_pending(waiting)
        clock.advance(15)
        with pytest.raises(TransferStalled):
            outcome(waiting)
        assert clock.getDelayedCalls() == []

    def test_it_lasts_while_something_moves(self):
        clock = Clock()
        moved = []
        waiting = start(StallTimeout(clock, 60, lambda: len(moved)).wait())
        for _ in range(20):
            clock.advance(30)
            moved.append(1)
        assert is_pending(waiting)
        clock.pump([15] * 6)
        with pytest.raises(TransferStalled):
            outcome(waiting)

    def test_time_between_two_waits_does_not_count(self):
        clock = Clock()
        patience = StallTimeout(clock, 60)
        clock.advance(1000)
        waiting = start(patience.wait())
        clock.advance(45)
        assert is_pending(waiting)
        patience.wake()
        assert outcome(waiting) is None

    def test_a_timeout_of_zero_sets_no_timer(self):
        clock = Clock()
        patience = StallTimeout(clock, 0)
        waiting = start(patience.wait())
        assert clock.getDelayedCalls() == []
        patience.wake()
        assert outcome(waiting) is None
