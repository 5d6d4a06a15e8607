"""Rates of users hold over several processes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from ftpservice.concurrency.shared_table import SharedTable
from ftpservice.concurrency.table_layout import BUCKET_SLOTS, RecordLayout
from ftpservice.stream.rate_limit import BURST_SECONDS, RateLimiters
from ftpservice.stream.table_rate_limits import RATES, TableRateLimiters

PROCESSES = 3
RATE = 1_000_000
STEP = 0.01


class Transfer:
    """Moves bytes as the limits allow, at most ``own_rate`` bytes per second."""

    def __init__(self, bench: Bench, who: int, own_rate: float = 0) -> None:
        self.bench, self.own_rate = bench, own_rate
        self.moved, self.first = 0, -1.0
        self.limits = RateLimiters(bench.limiters[who].join("ann", bench.rate))
        self.who = who
        self.running: Deferred[None] = Deferred.fromCoroutine(self._run())

    async def _run(self) -> None:
        while True:
            size = self.limits.chunk
            await self.limits.take(size)
            self.moved += size
            if self.first < 0:
                self.first = self.bench.clock.seconds()
            pause: Deferred[None] = Deferred()
            seconds = size / self.own_rate if self.own_rate else 0.001
            self.bench.clock.callLater(seconds, pause.callback, None)
            await pause

    def stop(self) -> None:
        """End the transfer; its session stays."""
        self.running.addErrback(lambda failure: failure.trap(CancelledError))
        self.running.cancel()


class Bench:
    """Several processes under one clock."""

    def __init__(self, record: RecordLayout = RATES, rate: float = RATE) -> None:
        self.clock, self.rate = Clock(), rate
        self.first = SharedTable.create([record], PROCESSES + 1)
        others = [
            SharedTable.attach(self.first.descriptor, self.first.claim_column())
            for _ in range(PROCESSES - 1)
        ]
        self.tables = [self.first, *others]
        self.sections = [table.section(record.name) for table in self.tables]
        self.limiters = [TableRateLimiters(section, self.clock) for section in self.sections]
        self.transfers: list[Transfer] = []

    def begin(self, who: int, count: int = 1, own_rate: float = 0) -> list[Transfer]:
        begun = [Transfer(self, who, own_rate) for _ in range(count)]
        self.transfers += begun
        return begun

    @property
    def grants(self) -> int:
        return self.first.section(RATES.name).total(repr("ann").encode(), 1)

    def run(self, seconds: float) -> list[int]:
        """Let time pass; return how much each transfer has moved in it."""
        before = [transfer.moved for transfer in self.transfers]
        for _ in range(round(seconds / STEP)):
            self.clock.advance(STEP)
            assert self.grants <= self.rate
        return [
            transfer.moved - moved for transfer, moved in zip(self.transfers, before, strict=True)
        ]

    def close(self) -> None:
        for transfer in self.transfers:
            transfer.stop()
        for table in self.tables:
            table.close()


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.close()


def test_one_process_with_transfers_has_the_whole_rate(bench: Bench) -> None:
    idle, _ = bench.begin(1), bench.begin(0)
    bench.run(1)
    idle[0].stop()
    bench.run(1)
    assert sum(bench.run(4)) == pytest.approx(4 * RATE, rel=0.03)


def test_the_processes_share_a_rate_and_never_exceed_it(bench: Bench) -> None:
    for who in range(PROCESSES):
        bench.begin(who)
    bench.run(1)
    moved = bench.run(10)
    assert sum(moved) <= 10 * RATE + BURST_SECONDS * RATE
    assert moved == [pytest.approx(10 * RATE / 3, rel=0.1)] * 3
    assert sum(transfer.moved for transfer in bench.transfers) <= (11 + BURST_SECONDS) * RATE


def test_a_process_has_a_part_by_its_number_of_transfers(bench: Bench) -> None:
    bench.begin(0, 3)
    bench.begin(1, 1)
    bench.run(1)
    assert bench.run(10) == [pytest.approx(10 * RATE / 4, rel=0.15)] * 4


def test_what_slow_clients_leave_goes_to_the_others(bench: Bench) -> None:
    bench.begin(0, own_rate=RATE / 10)
    bench.begin(1)
    bench.run(2)
    slow, fast = bench.run(10)
    assert slow >= RATE * 10 / 10 * 0.8
    assert slow + fast == pytest.approx(10 * RATE, rel=0.03)


@pytest.mark.parametrize("own_rates", [(0.3, 0), (0.3, 0.3, 0), (0.2, 0.2, 0), (0.05, 0, 0)])
def test_slow_clients_in_several_processes_cost_the_others_nothing(
    bench: Bench, own_rates: tuple[float, ...]
) -> None:
    """Whatever they use less than their process has, the user has the whole rate."""
    for who, own_rate in enumerate(own_rates):
        bench.begin(who, own_rate=own_rate * RATE)
    bench.run(1)
    assert sum(bench.run(10)) == pytest.approx(10 * RATE, rel=0.03)
    assert sum(transfer.moved for transfer in bench.transfers) <= (11 + 2 * BURST_SECONDS) * RATE


def test_bytes_that_nobody_has_used_are_no_more_than_a_burst(bench: Bench) -> None:
    """A user that is slow for a while does not exceed the rate afterwards."""
    bench.begin(0, own_rate=RATE / 10)
    bench.begin(1, own_rate=RATE / 10)
    bench.run(5)
    bench.begin(2)
    for _ in range(20):
        assert sum(bench.run(1)) <= (1 + 3 * BURST_SECONDS) * RATE
    assert sum(bench.run(5)) <= (5 + 3 * BURST_SECONDS) * RATE


def test_a_transfer_in_another_process_begins_soon(bench: Bench) -> None:
    bench.begin(0, 2)
    bench.run(2)
    [late] = bench.begin(1)
    bench.run(1)
    assert late.first - 2 <= 0.3
    bench.run(1)
    assert bench.run(4)[2] == pytest.approx(4 * RATE / 3, rel=0.15)


def test_when_a_transfer_ends_the_others_have_its_part_soon(bench: Bench) -> None:
    bench.begin(0)
    [ended] = bench.begin(1)
    bench.run(2)
    ended.stop()
    bench.run(1)
    assert bench.run(4)[0] == pytest.approx(4 * RATE, rel=0.05)


def test_the_grant_of_a_killed_process_is_free_when_its_column_is_cleared(bench: Bench) -> None:
    bench.begin(0)
    [dead] = bench.begin(1)
    bench.run(2)
    dead.stop()
    bench.limiters[1]._call.cancel()  # as if killed
    bench.run(1)
    assert bench.run(4)[0] <= 2.2 * RATE
    bench.first.clear_column(bench.tables[1].column)
    bench.run(0.5)
    assert bench.run(4)[0] == pytest.approx(4 * RATE, rel=0.05)
    bench.transfers.remove(dead)


def test_another_rate_is_the_rate_of_all_processes(bench: Bench) -> None:
    bench.begin(0)
    bench.begin(1)
    bench.run(1)
    bench.limiters[2].join("ann", RATE / 4)
    bench.run(1)
    bench.rate = RATE / 4
    assert sum(bench.run(8)) <= 8.2 * RATE / 4


def test_nothing_is_left_when_the_last_session_has_left(bench: Bench) -> None:
    for who in range(PROCESSES):
        bench.begin(who, 2)
    bench.run(1)
    for transfer in bench.transfers:
        transfer.stop()
        bench.limiters[transfer.who].leave("ann")
    bench.run(1)
    assert [limiters.in_use for limiters in bench.limiters] == [0, 0, 0]
    with bench.sections[0].lock(repr("ann").encode()) as record:
        assert not record.exists
    assert bench.clock.getDelayedCalls() == []


def test_no_process_looks_at_a_rate_that_is_not_used(bench: Bench) -> None:
    bench.begin(0)
    bench.run(1)
    bench.transfers[0].stop()
    bench.run(1)
    assert bench.grants == 0
    assert bench.clock.getDelayedCalls() == []


def test_a_limiter_is_the_same_for_all_sessions_of_a_process(bench: Bench) -> None:
    limiters = bench.limiters[0]
    first = limiters.join("ann", RATE)
    assert limiters.join("ann", RATE) is first
    assert limiters.join("bob", RATE) is not first
    limiters.leave("ann")
    assert limiters.in_use == 2
    limiters.leave("ann")
    limiters.leave("bob")
    assert limiters.in_use == 0


def test_without_room_in_the_table_a_process_has_a_fixed_part() -> None:
    bench = Bench(RecordLayout(RATES.name, RATES.fields, RATES.values, BUCKET_SLOTS))
    for number in range(BUCKET_SLOTS):
        bench.limiters[0].join(number, RATE)
    bench.begin(0)
    bench.begin(1)
    bench.run(1)
    moved = bench.run(4)
    assert moved == [pytest.approx(4 * RATE / (PROCESSES + 1), rel=0.05)] * 2
    bench.close()


def test_a_grant_stays_while_another_process_has_the_lock(bench: Bench) -> None:
    bench.begin(0)
    bench.run(1)
    with bench.sections[1].lock(repr("ann").encode()):
        before = bench.transfers[0].moved
        bench.clock.pump([0.05] * 4)
        assert bench.transfers[0].moved - before >= 0.1 * RATE
        bench.transfers[0].stop()
        bench.limiters[0].leave("ann")
    bench.clock.pump([0.05] * 20)
    assert bench.grants == 0
    assert bench.clock.getDelayedCalls() == []
