"""When files are deleted: at the set time, with a clock that can be trusted, one run at a time."""

import json
from dataclasses import replace
from datetime import datetime, time
from types import SimpleNamespace

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from ftpservice.retention.clock_watch import ClockState, ClockWatch
from ftpservice.retention.file_sweep import ExpiredFile, SweepCounts
from ftpservice.retention.retention_run import CannotRun, RunResult
from ftpservice.retention.retention_service import RetentionService, clock_state
from ftpservice.retention.schedule import RetentionSchedule
from ftpservice.storage.retention_rules import parse_retention
from ftpservice.wire.paths import VirtualPath

HOUR, DAY = 3600.0, 86_400.0
RULES = parse_retention("30d; /in/*.tmp: 7d")
NOON = datetime(2027, 3, 10, 12).timestamp()


class Runs:
    """What the service calls; ``held`` makes a run wait."""

    with_directories = is_stopping = False

    def __init__(self, seconds):
        self.seconds = seconds
        self.records = [SimpleNamespace(name="ann", retention=RULES)]
        self.begun = []
        self.held = None
        self.error = None
        self.interruptions = 0

    def interrupt(self):
        self.interruptions += 1

    async def accounts(self):
        if self.error is not None:
            raise self.error
        return self.records

    async def run(self, name=None, is_dry=False):
        if self.error is not None:
            raise self.error
        self.begun.append((self.seconds(), name, is_dry))
        if self.held is not None:
            await self.held
        expired = ExpiredFile("ann", VirtualPath.parse("/a"), 5, 31 * DAY, RULES.rules[0])
        counts = {"ann": SweepCounts(files=1, bytes=5)}
        return RunResult(is_dry, self.seconds(), counts, [expired])


class Bench:
    def __init__(self, folder):
        self.clock, self.shift = Clock(), 0.0
        self.path = folder / "retention.json"
        self.runs = Runs(self.now)
        self.service = self.made(ClockState(self.now() - HOUR, self.now() - 9 * DAY))

    def now(self):
        return NOON + self.clock.seconds() + self.shift

    def made(self, state=None):
        booted_at = self.now() - 50 - self.clock.seconds()
        known = None if state is None else replace(state, booted_at=booted_at, boot="one")
        watch = ClockWatch(self.now, lambda: 50 + self.clock.seconds(), known, lambda: "one")
        made = RetentionService(self.runs, watch, RetentionSchedule(), self.clock)
        self.service = made
        return made

    def passes(self, hours):
        for _ in range(round(hours * 60)):
            self.clock.advance(60)

    @property
    def hours(self):
        return [
            datetime.fromtimestamp(when).strftime("%d %H:%M")
            for when, _name, _is_dry in self.runs.begun
        ]

    def answer(self, call, *words):
        found = []
        call(*words).addBoth(found.append)
        if found and hasattr(found[0], "raiseException"):
            found[0].raiseException()
        return found[0] if found else None

    def show(self, user):
        return self.answer(self.service.show, user)

    def run_now(self, *words):
        return self.answer(self.service.run_now, *words)


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path)
    yield made
    if made.service.running:
        made.service.stopService()


def started(bench):
    bench.service.startService()
    return bench


def test_a_run_begins_every_day_at_the_set_time(bench):
    started(bench).passes(50)
    assert bench.hours == ["11 03:00", "12 03:00"]


def test_the_time_can_be_changed(bench):
    started(bench)
    bench.service.apply(RetentionSchedule(time(15, 30)))
    bench.passes(20)
    assert bench.hours == ["10 15:30"]
    bench.service.apply(RetentionSchedule(None, with_directories=True))
    bench.passes(50)
    assert len(bench.hours) == 1
    assert bench.runs.with_directories


def test_a_run_that_was_missed_is_made_up(bench):
    bench.made(ClockState(bench.now() - 10 * HOUR, bench.now() - 9 * DAY))
    started(bench).passes(1)
    assert bench.hours == ["10 12:01"]
    bench.passes(10)
    assert len(bench.hours) == 1


def test_by_itself_nothing_is_deleted_on_the_first_day(bench):
    bench.made()
    started(bench).passes(50)
    assert bench.hours == ["12 03:00"]


def test_nor_on_the_day_after_the_clock_was_set(bench):
    started(bench).passes(20)
    assert bench.hours == ["11 03:00"]
    bench.shift = 400 * DAY
    bench.passes(20)
    assert bench.hours == ["11 03:00"]
    bench.passes(24)
    assert len(bench.hours) == 2


def test_without_retention_there_is_no_run(bench):
    bench.runs.records = [SimpleNamespace(name="ann", retention=None)]
    started(bench).passes(50)
    assert bench.runs.begun == []


def test_an_error_of_one_day_does_not_keep_the_next(bench):
    bench.runs.error = CannotRun("the store is down")
    started(bench).passes(20)
    bench.runs.error = None
    bench.passes(24)
    assert bench.hours == ["12 03:00"]


def test_one_run_at_a_time(bench):
    bench.runs.held = Deferred()
    started(bench).passes(50)
    assert len(bench.runs.begun) == 1
    with pytest.raises(CannotRun, match="in progress"):
        bench.run_now()
    bench.runs.held.callback(None)
    bench.runs.held = None
    bench.passes(24)
    assert len(bench.runs.begun) == 2


def test_a_stop_ends_a_run(bench):
    bench.runs.held = Deferred()
    started(bench).passes(20)
    stopped = bench.service.stopService()
    assert bench.runs.is_stopping
    assert stopped.called
    assert bench.runs.interruptions == 1
    assert not bench.clock.getDelayedCalls()


def test_a_stop_waits_for_what_cannot_be_cancelled(bench):
    waiting = Deferred()

    async def stubborn(name=None, is_dry=False):
        try:
            await Deferred()
        except CancelledError:
            await waiting
        return RunResult(is_dry, 0.0)

    bench.runs.run = stubborn
    started(bench).passes(20)
    stopped = bench.service.stopService()
    bench.clock.advance(1)
    assert not stopped.called
    assert bench.runs.interruptions > 1
    waiting.callback(None)
    assert stopped.called
    assert not bench.clock.getDelayedCalls()


class TestRequests:
    def test_a_run(self, bench):
        assert bench.run_now("ann") == {
            "dry_run": False,
            "accounts": [
                {
                    "user": "ann",
                    "files": 1,
                    "bytes": 5,
                    "directories": 0,
                    "kept_by_others": 0,
                    "in_use": 0,
                    "failed": 0,
                }
            ],
            "files": [
                {
                    "user": "ann",
                    "path": "/a",
                    "directory": False,
                    "size": 5,
                    "age": 31 * DAY,
                    "rule": "30d",
                    "rule_account": None,
                }
            ],
            "omitted": 0,
        }
        assert bench.runs.begun == [(bench.now(), "ann", False)]

    def test_a_dry_run(self, bench):
        assert bench.run_now(None, True)["dry_run"]
        assert bench.runs.begun == [(bench.now(), None, True)]
        assert bench.show("ann")["last_run"] is None

    def test_a_clock_that_is_not_trusted_needs_force(self, bench):
        bench.made()
        with pytest.raises(CannotRun, match=r"watched for 1d 00:00:00 more .*--force"):
            bench.run_now()
        assert bench.run_now(None, True)["dry_run"]
        assert not bench.run_now(None, False, True)["dry_run"]

    def test_a_run_that_cannot_be(self, bench):
        bench.runs.error = CannotRun("there is no account 'eve'")
        with pytest.raises(CannotRun, match="no account 'eve'"):
            bench.run_now("eve")
        with pytest.raises(CannotRun, match="no account 'eve'"):
            bench.show("eve")

    def test_one_that_a_stop_ends(self, bench):
        bench.runs.held = Deferred()
        answers = []
        bench.service.run_now().addErrback(answers.append)
        bench.service.stopService()
        assert answers[0].check(CannotRun)

    def test_what_is_kept(self, bench):
        bench.run_now()
        assert bench.show("ann") == {
            "user": "ann",
            "rules": [
                {"directory": "/", "pattern": None, "keep": "30d"},
                {"directory": "/in", "pattern": "*.tmp", "keep": "7d"},
            ],
            "next_run": NOON + 15 * HOUR,
            "last_run": {
                "when": NOON,
                "files": 1,
                "bytes": 5,
                "directories": 0,
                "kept_by_others": 0,
                "in_use": 0,
                "failed": 0,
            },
        }
        with pytest.raises(CannotRun, match="no account 'eve'"):
            bench.show("eve")

    def test_the_next_run_is_when_the_clock_will_be_trusted(self, bench):
        bench.made()
        assert bench.show("ann")["next_run"] == NOON + 39 * HOUR
        bench.service.apply(RetentionSchedule(None))
        assert bench.show("ann")["next_run"] is None


def test_a_state_that_cannot_be_read_is_none(tmp_path):
    assert clock_state(None) is None
    assert clock_state(tmp_path / "none") is None
    (tmp_path / "state").write_text("{")
    assert clock_state(tmp_path / "state") is None
    (tmp_path / "state").write_text(json.dumps({"looked_at": 5, "steady_since": 4}))
    assert clock_state(tmp_path / "state") == ClockState(5, 4)
