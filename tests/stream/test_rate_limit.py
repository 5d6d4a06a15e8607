import pytest
from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock, deferLater

from ftpservice.stream.pump import CHUNK_SIZE
from ftpservice.stream.rate_limit import (
    BURST_SECONDS,
    MIN_CHUNK_SIZE,
    RateLimiter,
    RateLimiters,
    SharedRateLimiters,
)
from tests.support.memory_transport import is_pending, outcome, start

STEP = 0.005


class Counted(Clock):
    """A clock that counts how often it woke somebody."""

    wakings = 0

    def callLater(self, when, what, *args, **kw):
        def woken():
            self.wakings += 1
            what(*args, **kw)

        return super().callLater(when, woken)


class Mover:
    """A transfer that takes as much as it gets, and needs ``pause`` seconds for each piece."""

    def __init__(self, clock, throttle, size, pause=0.0):
        self.moved = 0
        self.running = start(self._run(clock, throttle, size, pause))

    async def _run(self, clock, throttle, size, pause):
        while True:
            await throttle.take(size)
            self.moved += size
            if pause:
                await deferLater(clock, pause)


def let_pass(clock, seconds, step=STEP):
    clock.pump([step] * round(seconds / step))


def stopped(movers):
    for mover in movers:
        mover.running.addErrback(lambda failure: failure.trap(CancelledError))
        mover.running.cancel()


@pytest.mark.parametrize("count", [1, 3, 10])
@pytest.mark.parametrize("size", [512, 5_000, 50_000])
def test_together_they_get_the_rate_and_each_an_even_share(count, size):
    clock = Clock()
    rate = 1_000_000
    throttle = RateLimiter(clock, rate)
    movers = [Mover(clock, throttle, size) for _ in range(count)]
    let_pass(clock, 10)
    total = sum(mover.moved for mover in movers)
    assert abs(total - 10 * rate) <= 0.05 * 10 * rate
    assert all(abs(mover.moved - total / count) <= size for mover in movers)
    stopped(movers)


@pytest.mark.parametrize("rate", [20_000, 1_000_000, 200_000_000])
@pytest.mark.parametrize("count", [1, 3, 10])
def test_chunks_of_the_chosen_size_are_accurate_although_moving_them_takes_time(rate, count):
    clock = Clock()
    throttles = RateLimiters(RateLimiter(clock, rate))
    movers = [Mover(clock, throttles, throttles.chunk, pause=0.001) for _ in range(count)]
    let_pass(clock, 10, step=0.001)
    total = sum(mover.moved for mover in movers)
    assert abs(total - 10 * rate) <= 0.05 * 10 * rate
    assert all(abs(mover.moved - total / count) <= 0.05 * 10 * rate for mover in movers)
    stopped(movers)


@pytest.mark.parametrize("count", [1, 10])
def test_it_wakes_twenty_times_a_second_at_most_however_many_wait(count):
    clock = Counted()
    throttle = RateLimiter(clock, 5_000_000)
    movers = [Mover(clock, throttle, 1_000) for _ in range(count)]
    let_pass(clock, 10)
    assert 150 <= clock.wakings <= 201
    stopped(movers)


def test_who_takes_much_at_a_time_gets_no_more_than_who_takes_little():
    clock = Clock()
    throttle = RateLimiter(clock, 1_000_000)
    large, small = Mover(clock, throttle, 200_000), Mover(clock, throttle, 2_000)
    let_pass(clock, 10)
    assert abs(large.moved - small.moved) <= 400_000
    stopped([large, small])


def test_who_comes_later_shares_from_then_on():
    clock = Clock()
    throttle = RateLimiter(clock, 100_000)
    first = Mover(clock, throttle, 5_000)
    let_pass(clock, 5)
    before = first.moved
    second = Mover(clock, throttle, 5_000)
    let_pass(clock, 10)
    assert abs(second.moved - 500_000) <= 10_000
    assert abs(first.moved - before - 500_000) <= 10_000
    stopped([first])
    alone = second.moved
    let_pass(clock, 2)
    assert abs(second.moved - alone - 200_000) <= 10_000
    stopped([second])


def test_what_one_leaves_unused_is_for_the_others():
    clock = Clock()
    throttle = RateLimiter(clock, 100_000)
    slow, fast = Mover(clock, throttle, 1_000, pause=0.5), Mover(clock, throttle, 5_000)
    let_pass(clock, 10)
    assert slow.moved >= 15_000
    assert slow.moved + fast.moved >= 950_000
    stopped([slow, fast])


def test_after_a_rest_no_more_than_a_burst_is_had_at_once():
    clock = Clock()
    throttle = RateLimiter(clock, 100_000)
    assert is_pending(start(throttle.take(1)).addErrback(lambda _: None))
    clock.advance(3600)
    mover = Mover(clock, throttle, 100)
    assert mover.moved <= BURST_SECONDS * 100_000
    stopped([mover])


def test_it_begins_empty_so_that_a_new_login_buys_nothing():
    clock = Clock()
    taking = start(RateLimiter(clock, 1000).take(100))
    clock.advance(0.099)
    assert is_pending(taking)
    clock.advance(0.001)
    assert outcome(taking) is None


def test_a_low_rate_waits_for_as_long_as_it_takes():
    clock = Clock()
    mover = Mover(clock, RateLimiter(clock, 10), MIN_CHUNK_SIZE)
    let_pass(clock, 520, step=0.5)
    assert mover.moved == 10 * MIN_CHUNK_SIZE
    stopped([mover])


def test_with_nobody_waiting_there_is_no_timer():
    clock = Clock()
    throttle = RateLimiter(clock, 1000)
    taking = start(throttle.take(100))
    assert len(clock.getDelayedCalls()) == 1
    clock.advance(1)
    assert outcome(taking) is None
    assert clock.getDelayedCalls() == []


class TestCancelling:
    def test_it_leaves_nothing_behind(self):
        clock = Clock()
        throttle = RateLimiter(clock, 1000)
        taking = start(throttle.take(100))
        clock.advance(0.05)
        taking.cancel()
        with pytest.raises(CancelledError):
            outcome(taking)
        assert clock.getDelayedCalls() == []

    def test_the_others_go_on_and_get_what_it_had(self):
        clock = Clock()
        throttle = RateLimiter(clock, 1000)
        first, second, third = (start(throttle.take(size)) for size in (1000, 500, 100))
        clock.advance(0.3)
        assert outcome(third) is None
        first.cancel()
        with pytest.raises(CancelledError):
            outcome(first)
        clock.advance(0.3)
        assert outcome(second) is None
        assert clock.getDelayedCalls() == []

    def test_one_who_goes_on_may_cancel_another(self):
        clock = Clock()
        throttle = RateLimiter(clock, 1000)
        first, second = start(throttle.take(100)), start(throttle.take(100))
        first.addCallback(lambda _: second.cancel())
        clock.advance(0.2)
        assert outcome(first) is None
        with pytest.raises(CancelledError):
            outcome(second)
        assert clock.getDelayedCalls() == []


def test_one_who_wants_less_than_who_waits_already_need_not_wait_as_long():
    clock = Clock()
    throttle = RateLimiter(clock, 1000)
    much, little = start(throttle.take(10_000)), start(throttle.take(100))
    clock.advance(0.2)
    assert outcome(little) is None
    assert is_pending(much)
    clock.advance(9.9)
    assert outcome(much) is None


def test_a_new_rate_holds_at_once_for_those_who_wait_too():
    clock = Clock()
    throttle = RateLimiter(clock, 1)
    taking = start(throttle.take(1000))
    clock.advance(1)
    throttle.rate = 1000
    clock.advance(1)
    assert outcome(taking) is None
    throttle.rate = 10
    later = start(throttle.take(100))
    clock.advance(5)
    assert is_pending(later)
    clock.advance(5.1)
    assert outcome(later) is None


def test_a_clock_that_goes_back_takes_nothing_away():
    clock = Clock()
    throttle = RateLimiter(clock, 1000)
    clock.rightNow = -5.0
    taking = start(throttle.take(100))
    clock.advance(0.2)
    assert outcome(taking) is None


class TestSeveral:
    def test_the_strictest_rules(self):
        clock = Clock()
        whole = RateLimiter(clock, 300_000)
        movers = [
            Mover(clock, both, both.chunk)
            for both in (
                RateLimiters(RateLimiter(clock, rate), whole) for rate in (50_000, 1_000_000)
            )
        ]
        let_pass(clock, 10)
        assert abs(movers[0].moved - 500_000) <= 25_000
        assert abs(movers[1].moved - 2_500_000) <= 150_000
        stopped(movers)

    @pytest.mark.parametrize(
        ("rates", "chunk"),
        [((1,), MIN_CHUNK_SIZE), ((100_000, 200_000), 5_000), ((10**12, 10**9), CHUNK_SIZE)],
    )
    def test_a_chunk_is_a_twentieth_of_a_second_within_bounds(self, rates, chunk):
        clock = Clock()
        assert RateLimiters(*(RateLimiter(clock, rate) for rate in rates)).chunk == chunk


class TestShared:
    def test_it_is_made_for_the_first_and_dropped_with_the_last(self):
        shared = SharedRateLimiters(Clock())
        first = shared.join("ann", 1000)
        assert shared.join("ann", 1000) is first
        assert shared.join("bob", 1000) is not first
        shared.leave("ann")
        assert shared.in_use == 2
        shared.leave("ann")
        shared.leave("bob")
        assert shared.in_use == 0
        assert shared.join("ann", 1000) is not first

    def test_another_rate_is_the_rate_of_all(self):
        shared = SharedRateLimiters(Clock())
        throttle = shared.join("ann", 1000)
        shared.join("ann", 500)
        assert throttle.rate == 500
