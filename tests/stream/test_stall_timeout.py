import pytest
from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock

from ftpservice.stream.errors import TransferStalled
from ftpservice.stream.stall_timeout import StallDetector, StallTimeout, Wakeup
from tests.support.memory_transport import is_pending, outcome, start


class TestWakeup:
    def test_wake_waiter_ends_the_wait(self):
        clock = Clock()
        event = Wakeup(clock)
        waiting = event.wait(5)
        event.wake_waiter()
        assert outcome(waiting) is True
        assert clock.getDelayedCalls() == []

    def test_the_wait_ends_after_its_time(self):
        clock = Clock()
        waiting = Wakeup(clock).wait(5)
        clock.advance(5)
        assert outcome(waiting) is False

    def test_zero_seconds_set_no_limit(self):
        clock = Clock()
        waiting = Wakeup(clock).wait(0)
        clock.advance(10**9)
        assert is_pending(waiting)
        waiting.addErrback(lambda _: None).cancel()

    def test_wake_waiter_without_a_waiter_is_not_remembered(self):
        event = Wakeup(Clock())
        event.wake_waiter()
        waiting = event.wait(0)
        assert is_pending(waiting)
        event.wake_waiter()
        assert outcome(waiting) is True

    def test_cancelling_leaves_no_timer(self):
        clock = Clock()
        event = Wakeup(clock)
        waiting = event.wait(5)
        waiting.cancel()
        with pytest.raises(CancelledError):
            outcome(waiting)
        assert clock.getDelayedCalls() == []
        event.wake_waiter()

    def test_the_waiter_may_wait_again_at_once(self):
        clock = Clock()
        event = Wakeup(clock)

        async def twice():
            return await event.wait(5), await event.wait(5)

        waiting = start(twice())
        event.wake_waiter()
        clock.advance(5)
        assert outcome(waiting) == (True, False)


class TestStallDetector:
    def test_the_same_number_for_the_whole_timeout_is_a_stall(self):
        clock = Clock()
        detector = StallDetector(clock, 8, lambda: 3)
        for _ in range(3):
            clock.advance(2)
            detector.check()
        clock.advance(1.9)
        detector.check()
        clock.advance(0.1)
        with pytest.raises(TransferStalled, match="8 seconds"):
            detector.check()

    def test_a_process_that_was_paused_may_read_first(self):
        clock = Clock()
        numbers = [1, 1, 2, 2, 2]
        detector = StallDetector(clock, 8, lambda: numbers.pop(0))
        for seconds in (1000, 2, 1000):  # it has read before the second look
            clock.advance(seconds)
            detector.check()
        clock.advance(1000)
        with pytest.raises(TransferStalled):
            detector.check()

    def test_a_change_restarts_the_timeout(self):
        clock = Clock()
        numbers = [1, 2, 2, 2]
        detector = StallDetector(clock, 8, lambda: numbers.pop(0))
        clock.advance(8)
        detector.check()
        clock.advance(4)
        detector.check()
        clock.advance(4)
        with pytest.raises(TransferStalled):
            detector.check()

    def test_a_timeout_of_zero_never_ends(self):
        clock = Clock()
        detector = StallDetector(clock, 0)
        clock.advance(10**9)
        detector.check()


class TestStallTimeout:
    def test_it_ends_after_the_timeout(self):
        clock = Clock()
        waiting = start(StallTimeout(clock, 60).wait_for_progress())
        clock.pump([15, 15, 15])
        assert is_pending(waiting)
        clock.advance(15)
        with pytest.raises(TransferStalled):
            outcome(waiting)
        assert clock.getDelayedCalls() == []

    def test_it_lasts_while_there_is_progress(self):
        clock = Clock()
        moved = []
        waiting = start(StallTimeout(clock, 60, lambda: len(moved)).wait_for_progress())
        for _ in range(20):
            clock.advance(30)
            moved.append(1)
        assert is_pending(waiting)
        clock.pump([15] * 6)
        with pytest.raises(TransferStalled):
            outcome(waiting)

    def test_time_between_two_waits_does_not_count(self):
        clock = Clock()
        timeout = StallTimeout(clock, 60)
        clock.advance(1000)
        waiting = start(timeout.wait_for_progress())
        clock.advance(45)
        assert is_pending(waiting)
        timeout.wake_waiter()
        assert outcome(waiting) is None

    def test_a_timeout_of_zero_sets_no_timer(self):
        clock = Clock()
        timeout = StallTimeout(clock, 0)
        waiting = start(timeout.wait_for_progress())
        assert clock.getDelayedCalls() == []
        timeout.wake_waiter()
        assert outcome(waiting) is None
