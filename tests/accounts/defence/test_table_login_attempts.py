"""Login attempts of an address in several processes count together."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import pairwise

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from ftpservice.accounts.defence.login_attempts import (
    FAILURE_ALLOWANCE,
    MAX_FORGIVEN,
    MAX_GAP_SECONDS,
    MAX_WAITING_PER_ADDRESS,
    OUTCOME_TIMEOUT_SECONDS,
    POLL_SECONDS,
    RECOVERY_SECONDS,
    TooManyAttempts,
)
from ftpservice.accounts.defence.table_login_attempts import LOGIN_ATTEMPTS, TableLoginAttempts
from ftpservice.concurrency import table_lock
from ftpservice.concurrency.shared_table import SharedTable
from ftpservice.concurrency.table_layout import BUCKET_SLOTS, RecordLayout

MALLORY = "192.0.2.66"
PROCESSES = 3


class Bench:
    """Several processes under one clock."""

    def __init__(self, record: RecordLayout = LOGIN_ATTEMPTS) -> None:
        self.clock = Clock()
        self.first = SharedTable.create([record], PROCESSES + 1)
        others = [
            SharedTable.attach(self.first.descriptor, self.first.claim_column())
            for _ in range(PROCESSES - 1)
        ]
        self.tables = [self.first, *others]
        self.attempts = [
            TableLoginAttempts(table.section(record.name), self.clock) for table in self.tables
        ]

    def ask(self, who: int, address: str = MALLORY) -> list[object]:
        """Ask to be admitted; the list gets ``None`` when that happens, or the failure."""
        seen: list[object] = []
        Deferred.fromCoroutine(self.attempts[who].admit(address)).addBoth(seen.append)
        return seen

    def fail(self, times: int, address: str = MALLORY) -> None:
        """Fail in one process after the other."""
        for number in range(times):
            assert self.ask(number % PROCESSES, address) == [None]
            self.attempts[number % PROCESSES].failed(address)

    def used_slots(self) -> int:
        return self.first.section(LOGIN_ATTEMPTS.name).used_slots


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    for table in bench.tables:
        table.close()


def test_the_allowance_is_one_for_all_processes(bench: Bench) -> None:
    bench.fail(FAILURE_ALLOWANCE)
    assert [bench.ask(who) for who in range(PROCESSES)] == [[], [], []]


def test_an_attempt_waits_while_another_process_has_the_lock(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That process may wait for a processor; who logs in now has failed at nothing."""
    monkeypatch.setattr(table_lock, "LOCK_SECONDS", 0.0)
    with bench.tables[1].section(LOGIN_ATTEMPTS.name).lock(MALLORY.encode()):
        admitted, left = bench.ask(0), Deferred.fromCoroutine(bench.attempts[0].admit(MALLORY))
        left.addErrback(lambda failure: failure.trap(CancelledError))
        assert admitted == []
    left.cancel()
    bench.clock.advance(POLL_SECONDS)
    assert admitted == [None]
    bench.attempts[0].succeeded(MALLORY)
    assert bench.used_slots() == 0


def test_attempts_in_progress_count_in_all_processes(bench: Bench) -> None:
    asked = [bench.ask(number % PROCESSES) for number in range(60)]
    assert asked == [[None]] * FAILURE_ALLOWANCE + [[]] * (60 - FAILURE_ALLOWANCE)


def test_many_at_once_get_no_more_guesses_than_many_in_a_row(bench: Bench) -> None:
    asked = [bench.ask(number % PROCESSES) for number in range(200)]
    for number in range(FAILURE_ALLOWANCE):
        bench.attempts[number % PROCESSES].failed(MALLORY)
    bench.clock.pump([POLL_SECONDS] * 2)
    assert asked.count([None]) == FAILURE_ALLOWANCE
    refused = [seen for seen in asked if seen and seen != [None]]
    assert len(refused) == 200 - FAILURE_ALLOWANCE - MAX_WAITING_PER_ADDRESS


def test_only_a_few_may_wait_in_all_processes_together(bench: Bench) -> None:
    bench.fail(FAILURE_ALLOWANCE)
    waiting = [bench.ask(number % PROCESSES) for number in range(MAX_WAITING_PER_ADDRESS)]
    assert waiting == [[]] * MAX_WAITING_PER_ADDRESS
    for who in range(PROCESSES):
        assert bench.ask(who)[0].check(TooManyAttempts)  # type: ignore[attr-defined]


def test_the_gap_is_kept_between_attempts_of_all_processes(bench: Bench) -> None:
    """Beyond its allowance an address has one attempt at a time, in whatever process."""
    bench.fail(FAILURE_ALLOWANCE)
    admitted: list[tuple[float, int]] = []

    async def guess(who: int) -> None:
        await bench.attempts[who].admit(MALLORY)
        admitted.append((bench.clock.seconds(), who))
        bench.attempts[who].failed(MALLORY)

    running = []
    for step in range(4 * 240):
        for who in range(PROCESSES):
            if step % 4 == 0:
                running.append(Deferred.fromCoroutine(guess(who)))
                running[-1].addErrback(lambda failure: failure.trap(TooManyAttempts))
        bench.clock.advance(0.25)
    times = [time for time, _who in admitted]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert gaps[0] >= 0.5
    assert all(gap >= MAX_GAP_SECONDS for gap in gaps[8:])
    assert 20 <= len(admitted) <= 40
    assert {who for _time, who in admitted} == set(range(PROCESSES))


def test_an_attempt_waits_for_the_outcome_of_one_in_another_process(bench: Bench) -> None:
    for number in range(FAILURE_ALLOWANCE):
        assert bench.ask(number % 2) == [None]
    seen = bench.ask(2)
    bench.clock.advance(POLL_SECONDS)
    assert seen == []
    bench.attempts[0].succeeded(MALLORY)
    bench.clock.advance(POLL_SECONDS)
    assert seen == [None]


def test_successes_forgive_a_limited_number_in_all_processes(bench: Bench) -> None:
    bench.fail(FAILURE_ALLOWANCE - 1)
    forgiven = 0
    while bench.ask(forgiven % PROCESSES) == [None]:
        bench.attempts[forgiven % PROCESSES].succeeded(MALLORY)
        bench.fail(1)
        forgiven += 1
        assert forgiven < 50
    assert forgiven <= MAX_FORGIVEN + 1


def test_what_was_in_progress_in_a_killed_process_no_longer_counts(bench: Bench) -> None:
    for _ in range(FAILURE_ALLOWANCE):
        assert bench.ask(1) == [None]
    seen = bench.ask(0)
    bench.clock.advance(POLL_SECONDS)
    assert seen == []
    bench.first.clear_column(bench.tables[1].column)
    bench.clock.advance(POLL_SECONDS)
    assert seen == [None]


def test_failures_of_a_killed_process_are_remembered(bench: Bench) -> None:
    bench.fail(FAILURE_ALLOWANCE)
    for table in bench.tables[1:]:
        bench.first.clear_column(table.column)
    assert bench.ask(0) == []


def test_an_attempt_without_an_outcome_in_another_process_counts_for_a_limited_time(
    bench: Bench,
) -> None:
    for _ in range(FAILURE_ALLOWANCE):
        assert bench.ask(1) == [None]
    seen = bench.ask(0)
    bench.clock.pump([1.0] * int(OUTCOME_TIMEOUT_SECONDS - 1))
    assert seen == []
    bench.clock.pump([1.0] * 8)
    assert seen == [None]
    bench.attempts[0].succeeded(MALLORY)
    assert bench.clock.getDelayedCalls() == []


def test_addresses_that_have_nothing_to_remember_take_no_room(bench: Bench) -> None:
    for number in range(300):
        address = f"10.0.{number // 256}.{number % 256}"
        assert bench.ask(number % PROCESSES, address) == [None]
        if number % 2:
            bench.attempts[number % PROCESSES].succeeded(address)
        else:
            bench.attempts[number % PROCESSES].abandoned(address)
    assert bench.used_slots() == 0
    assert bench.clock.getDelayedCalls() == []


def test_the_allowance_comes_back_with_time(bench: Bench) -> None:
    bench.fail(FAILURE_ALLOWANCE)
    assert bench.ask(0) == []
    bench.clock.advance(MAX_GAP_SECONDS)
    bench.attempts[0].abandoned(MALLORY)
    bench.clock.advance(RECOVERY_SECONDS)
    bench.fail(FAILURE_ALLOWANCE - 1)


def test_more_addresses_than_there_is_room_for_forget_the_oldest() -> None:
    bench = Bench(RecordLayout(LOGIN_ATTEMPTS.name, 2, 4, BUCKET_SLOTS, oldest=2))
    for number in range(BUCKET_SLOTS):
        bench.clock.advance(0.001)
        bench.fail(FAILURE_ALLOWANCE, f"10.0.0.{number}")
    bench.fail(1, MALLORY)
    assert bench.used_slots() == BUCKET_SLOTS
    assert bench.ask(1, "10.0.0.1") == []
    assert bench.ask(1, "10.0.0.0") == [None], "it was forgotten"
    for table in bench.tables:
        table.close()


def test_without_room_attempts_are_refused() -> None:
    bench = Bench(RecordLayout(LOGIN_ATTEMPTS.name, 2, 4, BUCKET_SLOTS, oldest=2))
    for number in range(BUCKET_SLOTS):
        assert bench.ask(0, f"10.0.0.{number}") == [None]
    assert bench.ask(1)[0].check(TooManyAttempts)  # type: ignore[attr-defined]
    bench.attempts[0].failed("10.0.0.1")
    assert bench.ask(1) == [None], "no attempt of 10.0.0.1 is in progress, so it is forgotten"
    for table in bench.tables:
        table.close()


def test_a_failure_is_counted_though_another_process_has_the_lock(bench: Bench) -> None:
    bench.fail(FAILURE_ALLOWANCE - 1)
    assert bench.ask(0) == [None]
    with bench.tables[1].section(LOGIN_ATTEMPTS.name).lock(MALLORY.encode()):
        bench.attempts[0].failed(MALLORY)
    assert bench.ask(1) == []
    bench.clock.advance(POLL_SECONDS)
    assert bench.ask(2) == []
    bench.clock.advance(OUTCOME_TIMEOUT_SECONDS + 5)
    assert bench.first.section(LOGIN_ATTEMPTS.name).total(MALLORY.encode(), 0) <= 1


def test_what_another_node_tells_is_counted_though_another_process_has_the_lock(
    bench: Bench,
) -> None:
    with bench.tables[1].section(LOGIN_ATTEMPTS.name).lock(MALLORY.encode()):
        bench.attempts[0].count_elsewhere(MALLORY, FAILURE_ALLOWANCE, 0)
    bench.clock.advance(POLL_SECONDS)
    assert bench.ask(0) == bench.ask(1) == []


def test_any_order_of_attempts_gets_no_more_guesses_than_one_process(bench: Bench) -> None:
    """An attacker who spreads attempts over processes gains nothing."""
    choose, guesses = random.Random(11), 0

    async def guess(who: int) -> None:
        nonlocal guesses
        await bench.attempts[who].admit(MALLORY)
        guesses += 1
        await_seconds = choose.random() * 3
        done: Deferred[None] = Deferred()
        bench.clock.callLater(await_seconds, done.callback, None)
        await done
        choose.choice([bench.attempts[who].failed] * 9 + [bench.attempts[who].succeeded])(MALLORY)

    for _ in range(1800):
        for _ in range(choose.randrange(3)):
            running = Deferred.fromCoroutine(guess(choose.randrange(PROCESSES)))
            running.addErrback(lambda failure: failure.trap(TooManyAttempts))
        bench.clock.advance(1)
    assert guesses <= FAILURE_ALLOWANCE * 4 + 1800 / MAX_GAP_SECONDS + 20
    for _ in range(60):
        bench.clock.advance(1)
    for table in bench.tables:
        section = table.section(LOGIN_ATTEMPTS.name)
        assert section.total(MALLORY.encode(), 0) <= MAX_WAITING_PER_ADDRESS
