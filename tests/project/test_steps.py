"""How many steps an operation takes: counted by ``benchmarks.steps`` in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.support.service_process import CHECKOUT, checkout_environment

LONGEST = 180
KEYS = ("calls", "own", "files")
# All Python calls, those of the package itself, and its files: the least of five runs and 3 % more.
# This budget only shrinks: whoever shortens the way writes the smaller numbers here, and nobody
# writes larger ones.
BUDGET = {
    "connect": (125, 50, 25),
    "login": (286, 154, 42),
    "retr": (326, 224, 53),
    "stor": (544, 323, 66),
    "stor-over": (545, 332, 67),
    "mlsd": (626, 437, 54),
    "noop": (47, 24, 13),
    "tls-auth": (368, 187, 30),
    "tls-login": (288, 163, 43),
    "tls-retr": (577, 359, 59),
    "tls-stor": (791, 464, 72),
    "tls-stor-over": (806, 473, 73),
    "tls-mlsd": (856, 562, 60),
    "tls-noop": (58, 33, 16),
    "client-download": (409, 168, 22),
    "client-upload": (437, 168, 23),
}


@pytest.fixture(scope="module")
def counted() -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.steps", "--json", "--no-system-calls"]
    done = subprocess.run(
        command,
        cwd=CHECKOUT,
        env=checkout_environment(),
        capture_output=True,
        text=True,
        timeout=LONGEST,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_operation_has_a_budget(counted: dict[str, Any]) -> None:
    assert set(counted) == set(BUDGET)


@pytest.mark.parametrize("operation", BUDGET)
def test_an_operation_takes_no_more_steps_than_it_may(
    counted: dict[str, Any], operation: str
) -> None:
    least = counted[operation]["ours"]["least"]
    used = dict(zip(KEYS, (least[key] for key in KEYS), strict=True))
    allowed = dict(zip(KEYS, BUDGET[operation], strict=True))
    assert all(used[key] <= allowed[key] for key in KEYS), f"{used} of {allowed}"


@pytest.mark.parametrize("operation", BUDGET)
def test_something_was_counted(counted: dict[str, Any], operation: str) -> None:
    least = counted[operation]["ours"]["least"]
    assert all(least[key] > 0 for key in KEYS), least
