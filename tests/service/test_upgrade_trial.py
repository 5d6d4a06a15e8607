"""A trial of the installed program: real processes, and no descriptor that one leaves open."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

import pytest

from ftpservice.service import upgrade_trial
from ftpservice.service.upgrade_trial import Trial, TrialFailed
from ftpservice.workers.handover import Handover
from tests.support.limited_process import descriptors_left
from tests.support.open_resources import OpenResources
from tests.support.service_process import checkout_environment

TAKE = "import os, sys; from ftpservice.workers.handover import Handover; one = Handover.taken();"
ANSWER = f"{TAKE} os.write(one.answer, b'1.2.3')"
REFUSE = f"{TAKE} sys.exit('ftpservice: not with these settings')"
HANG = "import time; time.sleep(600)"
MOST_DESCRIPTORS = 12
"""More than a trial opens at a time."""


def trial(code: str, program: str = sys.executable) -> Trial:
    return Trial([program, "-c", code], "/")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in checkout_environment().items():
        monkeypatch.setenv(name, value)


def test_the_version_that_can_start_is_returned() -> None:
    before = OpenResources()
    assert trial(ANSWER).run(Handover(is_trial=True)) == "1.2.3"
    assert before.leaks() == {}


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        (trial(REFUSE), "^not with these settings$"),
        (trial("pass"), "ended with status 0"),
        (trial(f"{ANSWER}; os.abort()"), "was ended by signal 6"),
        (trial("", "/nowhere/python"), "/nowhere/python: no such file or directory"),
    ],
)
def test_a_program_that_does_not_start_leaves_nothing_open(one: Trial, reason: str) -> None:
    before = OpenResources()
    with pytest.raises(TrialFailed, match=reason):
        one.run(Handover(is_trial=True))
    assert before.leaks() == {}


def test_a_stop_that_comes_before_the_program_has_started_ends_it() -> None:
    before = OpenResources()
    one = trial(HANG)
    one.kill()
    with pytest.raises(TrialFailed, match="the service is stopping"):
        one.run(Handover(is_trial=True))
    assert before.leaks() == {}


def test_a_program_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upgrade_trial, "TRIAL_SECONDS", 0.1)
    before = OpenResources()
    one = trial(HANG)
    with pytest.raises(TrialFailed, match="did not start within"):
        one.run(Handover(is_trial=True))
    assert one._process is not None and one._process.returncode == -9
    assert before.leaks() == {}


def test_a_killed_program_that_leaves_a_child_keeps_nobody_waiting(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    number, seconds = tmp_path / "number", 0.5
    begin = "import os, time, pathlib; child = os.fork()"
    code = f"{begin}; child and pathlib.Path({str(number)!r}).write_text(f'{{child}}')"
    before = OpenResources()
    while not number.exists():  # a busy machine needs longer to begin
        monkeypatch.setattr(upgrade_trial, "TRIAL_SECONDS", seconds)
        with pytest.raises(TrialFailed, match="did not start within"):
            trial(f"{code}; time.sleep(600)").run(Handover(is_trial=True))
        seconds *= 2.0
    assert before.leaks() == {}
    os.kill(int(number.read_text()), signal.SIGKILL)


def test_a_trial_that_is_killed_from_outside_leaves_nothing_open() -> None:
    before = OpenResources()
    one = trial(HANG)
    found: list[Exception] = []

    def run() -> None:
        try:
            one.run(Handover(is_trial=True))
        except TrialFailed as error:
            found.append(error)

    running = threading.Thread(target=run)
    running.start()
    while running.is_alive():
        one.kill()
        running.join(0.01)
    assert str(found[0]) == "the service is stopping"
    assert before.leaks() == {}


def test_a_trial_without_descriptors_leaves_nothing_open() -> None:
    """Whichever of the descriptors that it needs is the first that it does not get."""
    failed = 0
    for count in range(MOST_DESCRIPTORS):
        before = OpenResources()
        try:
            with descriptors_left(count):
                assert trial(ANSWER).run(Handover(is_trial=True)) == "1.2.3"
        except TrialFailed as error:
            assert "too many open files" in str(error)
            failed += 1
        assert before.leaks() == {}
    assert 0 < failed < MOST_DESCRIPTORS
