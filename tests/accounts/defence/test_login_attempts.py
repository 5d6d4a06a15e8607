"""Guessing gets slow for an address and costs nobody else anything.

The same holds for a process that shares what it counts with others.
"""

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from ftpservice.accounts.defence import login_attempts as module
from ftpservice.accounts.defence.login_attempts import (
    FAILURE_ALLOWANCE,
    MAX_FAILURES_PER_SESSION,
    MAX_GAP_SECONDS,
    MAX_WAITING_PER_ADDRESS,
    OUTCOME_TIMEOUT_SECONDS,
    RECOVERY_SECONDS,
    LoginAttempts,
    TooManyAttempts,
    delay_after,
)
from ftpservice.accounts.defence.table_login_attempts import LOGIN_ATTEMPTS, TableLoginAttempts
from ftpservice.concurrency.shared_table import SharedTable

MALLORY = "192.0.2.66"
ALICE = "192.0.2.1"


class Bench:
    """Attempts under a clock."""

    def __init__(self, login_attempts=LoginAttempts):
        self.clock = Clock()
        self.login_attempts = login_attempts(self.clock)

    def ask(self, address=MALLORY):
        """Ask to be admitted; the list gets ``None`` when that happens, or the failure."""
        seen = []
        deferred = Deferred.fromCoroutine(self.login_attempts.admit(address))
        deferred.addBoth(seen.append)
        return seen, deferred

    def admitted(self, address=MALLORY):
        return self.ask(address)[0] == [None]

    def fail(self, times, address=MALLORY):
        for _ in range(times):
            assert self.admitted(address)
            self.login_attempts.failed(address)

    def waits(self, address=MALLORY, step=0.25):
        """Return how long a new attempt waits, and fail it."""
        seen, _ = self.ask(address)
        began = self.clock.seconds()
        while not seen:
            self.clock.advance(step)
        assert seen == [None]
        self.login_attempts.failed(address)
        return self.clock.seconds() - began


def check_timers(bench):
    for attempts in bench.login_attempts._addresses.values():
        assert bool(attempts.waiting) == (attempts.timer is not None and attempts.timer.active())


@pytest.fixture
def local_bench():
    bench = Bench()
    yield bench
    check_timers(bench)


@pytest.fixture(params=["local", "table"])
def bench(request):
    if request.param == "local":
        bench = Bench()
        yield bench
    else:
        table = SharedTable.create([LOGIN_ATTEMPTS], 2)
        section = table.section(LOGIN_ATTEMPTS.name)
        bench = Bench(lambda clock: TableLoginAttempts(section, clock))
        yield bench
        table.close()
    check_timers(bench)


def test_the_delay_in_a_session_grows_and_has_an_end():
    assert [delay_after(failures) for failures in range(-1, 6)] == [0, 0, 0.5, 1, 2, 4, 5]
    assert delay_after(10**9) == 5
    assert MAX_FAILURES_PER_SESSION == 5


def test_an_address_that_never_failed_does_not_wait(bench):
    for _ in range(500):
        assert bench.admitted(ALICE)
        bench.login_attempts.succeeded(ALICE)
    assert bench.login_attempts._addresses == {}
    assert bench.clock.getDelayedCalls() == []


def test_a_few_failures_cost_an_address_nothing(bench):
    bench.fail(FAILURE_ALLOWANCE)


def test_beyond_the_allowance_attempts_wait_longer_and_longer(bench):
    bench.fail(FAILURE_ALLOWANCE)
    waits = [bench.waits() for _ in range(8)]
    assert waits == sorted(waits)
    assert 0.25 <= waits[0] <= 2
    assert waits[-1] == MAX_GAP_SECONDS


def test_reconnecting_for_an_hour_gets_few_guesses(bench):
    guesses = 0
    while bench.clock.seconds() < 3600:
        bench.waits()
        guesses += 1
    assert guesses < FAILURE_ALLOWANCE + 3600 / MAX_GAP_SECONDS + 20


def test_others_are_never_slowed(bench):
    bench.fail(FAILURE_ALLOWANCE)
    for _ in range(MAX_WAITING_PER_ADDRESS):
        bench.ask()
    assert bench.admitted(ALICE)


def test_the_allowance_comes_back_with_time(bench):
    bench.fail(FAILURE_ALLOWANCE)
    assert not bench.admitted()
    bench.clock.advance(OUTCOME_TIMEOUT_SECONDS + RECOVERY_SECONDS)
    bench.clock.advance(OUTCOME_TIMEOUT_SECONDS)
    bench.fail(FAILURE_ALLOWANCE - 1)


def test_the_next_user_of_a_bad_address_does_not_wait_for_hours(bench):
    for _ in range(200):
        bench.waits()
    bench.clock.advance(RECOVERY_SECONDS + RECOVERY_SECONDS / FAILURE_ALLOWANCE)
    bench.clock.advance(0)
    assert bench.admitted()


def test_beyond_the_allowance_one_goes_at_a_time(bench):
    bench.fail(FAILURE_ALLOWANCE)
    first, _ = bench.ask()
    second, _ = bench.ask()
    bench.clock.advance(MAX_GAP_SECONDS)
    assert (first, second) == ([None], [])
    bench.clock.advance(MAX_GAP_SECONDS)
    assert second == []
    bench.login_attempts.failed(MALLORY)
    bench.clock.advance(MAX_GAP_SECONDS)
    assert second == [None]


def test_turns_come_in_the_order_of_asking(bench):
    bench.fail(FAILURE_ALLOWANCE)
    asked = [bench.ask()[0] for _ in range(3)]
    order = []
    while len(order) < 3:
        bench.clock.advance(0.5)
        for number, seen in enumerate(asked):
            if seen == [None] and number not in order:
                order.append(number)
                bench.login_attempts.failed(MALLORY)
    assert order == [0, 1, 2]


def test_only_a_few_may_wait_for_a_turn(bench):
    bench.fail(FAILURE_ALLOWANCE)
    waiting = [bench.ask()[0] for _ in range(MAX_WAITING_PER_ADDRESS)]
    seen, _ = bench.ask()
    assert seen[0].check(TooManyAttempts)
    assert waiting == [[]] * MAX_WAITING_PER_ADDRESS


def test_cancelling_leaves_the_queue(bench):
    bench.fail(FAILURE_ALLOWANCE)
    waiting = [bench.ask() for _ in range(MAX_WAITING_PER_ADDRESS)]
    seen, deferred = waiting[3]
    deferred.cancel()
    assert seen[0].check(CancelledError)
    assert bench.ask()[0] == []
    for _, deferred in waiting[:3] + waiting[4:]:
        deferred.cancel()


def test_when_the_last_one_waiting_gives_up_no_timer_is_left(bench):
    bench.fail(FAILURE_ALLOWANCE)
    _, deferred = bench.ask()
    assert len(bench.clock.getDelayedCalls()) == 1
    deferred.cancel()
    assert bench.clock.getDelayedCalls() == []


def test_many_at_once_get_no_more_guesses_than_many_in_a_row(bench):
    asked = [bench.ask()[0] for _ in range(200)]
    assert sum(seen == [None] for seen in asked) == FAILURE_ALLOWANCE
    for _ in range(FAILURE_ALLOWANCE):
        bench.login_attempts.failed(MALLORY)
    assert sum(seen == [None] for seen in asked) == FAILURE_ALLOWANCE
    refused = [seen for seen in asked if seen and seen != [None]]
    assert len(refused) == 200 - FAILURE_ALLOWANCE - MAX_WAITING_PER_ADDRESS
    assert all(seen[0].check(TooManyAttempts) for seen in refused)
    assert asked[FAILURE_ALLOWANCE] == []


def test_an_honest_crowd_all_gets_in_as_fast_as_it_is_checked(bench):
    asked = [bench.ask(ALICE)[0] for _ in range(500)]
    for number in range(500):
        assert asked[number] == [None]
        bench.login_attempts.succeeded(ALICE)
    assert bench.clock.seconds() == 0
    assert bench.clock.getDelayedCalls() == []
    assert bench.login_attempts._addresses == {}


def test_a_crowd_whose_checks_are_done_at_once_does_not_nest(bench):
    async def visit():
        await bench.login_attempts.admit(ALICE)
        bench.login_attempts.succeeded(ALICE)

    for _ in range(FAILURE_ALLOWANCE):
        assert bench.admitted(ALICE)
    visits = [Deferred.fromCoroutine(visit()) for _ in range(900)]
    bench.login_attempts.succeeded(ALICE)
    assert all(visit.called for visit in visits)


def test_the_crowd_is_bounded_too(bench, monkeypatch):
    monkeypatch.setattr(module, "MAX_WAITING_TOTAL", 2)
    for _ in range(FAILURE_ALLOWANCE + 2):
        bench.ask(ALICE)
    assert bench.ask(ALICE)[0][0].check(TooManyAttempts)


def test_an_attempt_without_an_outcome_counts_for_a_limited_time(bench):
    for _ in range(FAILURE_ALLOWANCE):
        assert bench.admitted()
    seen, _ = bench.ask()
    bench.clock.advance(OUTCOME_TIMEOUT_SECONDS - 0.5)
    assert seen == []
    bench.clock.advance(0.5)
    assert seen == [None]


def test_an_abandoned_attempt_does_not_count(bench):
    for _ in range(FAILURE_ALLOWANCE):
        assert bench.admitted()
    seen, _ = bench.ask()
    bench.login_attempts.abandoned(MALLORY)
    assert seen == [None]
    for _ in range(FAILURE_ALLOWANCE):
        bench.login_attempts.abandoned(MALLORY)
    assert bench.login_attempts._addresses == {}


def test_a_success_forgives_a_slip(bench):
    for _ in range(5):
        bench.fail(1, ALICE)
        assert bench.admitted(ALICE)
        bench.login_attempts.succeeded(ALICE)
    bench.fail(FAILURE_ALLOWANCE, ALICE)


def test_an_account_of_ones_own_is_no_way_to_guess_for_ever(bench):
    guesses = 0
    while bench.admitted():
        bench.login_attempts.succeeded(MALLORY)
        if not bench.admitted():
            break
        bench.login_attempts.failed(MALLORY)
        guesses += 1
        assert guesses < 2 * FAILURE_ALLOWANCE


def test_one_success_does_not_clear_a_bad_address(bench):
    bench.fail(FAILURE_ALLOWANCE)
    for _ in range(3):
        bench.waits()
    seen, _ = bench.ask()
    bench.clock.advance(MAX_GAP_SECONDS)
    assert seen == [None]
    bench.login_attempts.succeeded(MALLORY)
    assert not bench.admitted()


def test_all_addresses_of_an_ipv6_customer_are_one(bench):
    for number in range(FAILURE_ALLOWANCE):
        bench.fail(1, f"2001:db8::{number:x}")
    assert not bench.admitted("2001:db8::abcd:1:2:3")
    assert bench.admitted("2001:db8:0:1::1")


def test_a_mapped_address_is_the_ipv4_one(bench):
    bench.fail(FAILURE_ALLOWANCE, f"::ffff:{MALLORY}")
    assert not bench.admitted(MALLORY)


def test_what_is_remembered_is_bounded_and_the_oldest_goes_first(local_bench, monkeypatch):
    monkeypatch.setattr(module, "MAX_ADDRESSES", 3)
    for number in range(3):
        local_bench.fail(FAILURE_ALLOWANCE, f"10.0.0.{number}")
    waiting, _ = local_bench.ask("10.0.0.0")
    assert not local_bench.admitted("10.0.0.2")
    local_bench.fail(1, "10.0.0.3")
    assert len(local_bench.login_attempts._addresses) == 3
    assert waiting == []
    assert local_bench.admitted("10.0.0.1")


def test_attempts_that_wait_at_a_forgotten_address_are_refused(local_bench, monkeypatch):
    monkeypatch.setattr(module, "MAX_ADDRESSES", 1)
    local_bench.fail(FAILURE_ALLOWANCE)
    seen, _ = local_bench.ask()
    local_bench.fail(1, ALICE)
    assert seen[0].check(TooManyAttempts)
    assert local_bench.clock.getDelayedCalls() == []


def test_outcomes_without_an_attempt_have_no_effect(bench):
    bench.login_attempts.succeeded(ALICE)
    bench.login_attempts.abandoned(ALICE)
    bench.login_attempts.failed(ALICE)
    assert bench.admitted(ALICE)


def test_a_clock_that_stands_still_or_steps_back_does_no_harm(bench):
    bench.fail(3)
    bench.clock.rightNow -= 100
    bench.fail(FAILURE_ALLOWANCE - 3)
    assert not bench.admitted()
