"""A short soak: mixed clients and a fast clock leave nothing over, also when the service is killed.

``python -m benchmarks.soak`` is the long form, which also judges memory.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from benchmarks.soak.options import parse
from benchmarks.soak.run import SoakRun

COMPILER = shutil.which("cc") or shutil.which("gcc")
RATE = "48" if COMPILER else "1"
SHORT = ("--minutes=0.2", "--sessions=280", "--slots=12", "--phases=4", f"--rate={RATE}")


@pytest.mark.parametrize("words", [("--seed=1",), ("--seed=2", "--kill")])
def test_nothing_is_left_of_some_hundred_sessions(tmp_path: Path, words: tuple[str, ...]) -> None:
    report = SoakRun(parse([*SHORT, *words]), tmp_path).run()
    assert not report.problems, report.text()
    assert report.outcomes.total() == 280
    assert report.counts["uploads"] > 50
