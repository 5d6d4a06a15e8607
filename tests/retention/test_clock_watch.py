"""When the clock of the machine can be trusted, also over restarts."""

import pytest

from ftpservice.retention.clock_watch import (
    STEADY_SECONDS,
    ClockState,
    ClockWatch,
    load_state,
    save_state,
    seconds_since_boot,
)

HOUR, DAY, YEAR = 3600.0, 86_400.0, 365 * 86_400.0
START = 1_800_000_000.0


class Machine:
    """A machine whose clock can be set."""

    def __init__(self):
        self.now, self.since_boot, self.boot = START, 1000.0, "one"
        self.watch = self.restart(None)

    def restart(self, state):
        self.watch = ClockWatch(lambda: self.now, lambda: self.since_boot, state, lambda: self.boot)
        return self.watch

    def passes(self, seconds):
        self.now += seconds
        self.since_boot += seconds

    @property
    def days_left(self):
        return self.watch.unsteady_seconds() / DAY


@pytest.fixture
def machine():
    return Machine()


def test_a_clock_is_trusted_when_it_has_been_watched_for_a_day(machine):
    assert machine.days_left == 1
    machine.passes(DAY / 2)
    assert machine.days_left == 0.5
    machine.passes(DAY)
    assert machine.days_left == 0


@pytest.mark.parametrize("jump", [2 * HOUR, 3 * YEAR, -2 * HOUR, -40 * YEAR])
def test_after_a_jump_it_is_watched_again(machine, jump):
    machine.passes(2 * DAY)
    assert machine.watch.look() == 0
    machine.passes(60)
    machine.now += jump
    assert machine.watch.look() == pytest.approx(jump)
    assert machine.watch.look() == 0
    assert machine.days_left == 1
    machine.passes(DAY)
    assert machine.days_left == 0


def test_a_jump_between_two_looks_is_seen_by_the_question(machine):
    machine.passes(2 * DAY)
    assert machine.days_left == 0
    machine.now += YEAR
    assert machine.days_left == 1


def test_a_clock_that_is_only_corrected_stays_trusted(machine):
    machine.passes(2 * DAY)
    for _ in range(100):
        machine.passes(60)
        machine.now += 5
        assert machine.watch.look() == 0
    assert machine.days_left == 0


def test_a_restart_within_a_day_changes_nothing(machine):
    machine.passes(2 * DAY)
    machine.watch.look()
    machine.passes(10 * HOUR)
    machine.restart(machine.watch.state)
    assert machine.days_left == 0


@pytest.mark.parametrize(("away", "days_left"), [(0.5 * HOUR, 0), (2 * HOUR, 1)])
def test_a_jump_while_the_machine_starts_cannot_be_seen(machine, away, days_left):
    machine.passes(2 * DAY)
    machine.watch.look()
    machine.now += away
    machine.since_boot, machine.boot = 20.0, "two"
    machine.restart(machine.watch.state)
    assert machine.days_left == days_left


def test_a_jump_during_a_restart_is_seen(machine):
    machine.passes(2 * DAY)
    machine.watch.look()
    machine.passes(60)
    machine.now += 23 * HOUR
    machine.restart(machine.watch.state)
    assert machine.days_left == 1


@pytest.mark.parametrize("away", [25 * HOUR, 3 * YEAR, -2 * HOUR])
def test_after_a_longer_time_or_a_clock_set_back_it_is_watched_again(machine, away):
    machine.passes(2 * DAY)
    machine.watch.look()
    machine.now += away
    machine.restart(machine.watch.state)
    assert machine.days_left == 1


def test_a_state_from_the_future_is_not_trusted(machine):
    machine.restart(ClockState(START, START + YEAR))
    assert machine.days_left == 1


def test_the_state_is_kept_in_a_file(tmp_path):
    path = tmp_path / "retention.json"
    assert load_state(path) is None
    for state in (ClockState(START, START - DAY), ClockState(START + 1, START)):
        save_state(path, state)
        assert load_state(path) == state
    assert [each.name for each in tmp_path.iterdir()] == ["retention.json"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "3",
        '{"looked_at": 1}',
        '{"looked_at": "x", "steady_since": 1}',
        "\xff",
        '{"looked_at": NaN, "steady_since": 1}',
        '{"looked_at": 1, "steady_since": -Infinity}',
    ],
)
def test_another_file_is_refused(tmp_path, text):
    path = tmp_path / "retention.json"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(ValueError, match=r".+"):
        load_state(path)


def test_nothing_is_left_of_a_state_that_cannot_be_written(tmp_path):
    (tmp_path / "retention.json").mkdir()
    with pytest.raises(OSError, match="directory"):
        save_state(tmp_path / "retention.json", ClockState(1.0, 1.0))
    assert [each.name for each in tmp_path.iterdir()] == ["retention.json"]


def test_the_time_since_the_start_of_the_machine_goes_on():
    assert 0 < seconds_since_boot() <= seconds_since_boot()
    assert STEADY_SECONDS == DAY
