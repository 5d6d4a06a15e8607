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
# All Python calls, those of the package itself and its files: the least of five runs, and 3 % more.
# This budget only shrinks. Whoever shortens the way writes the smaller numbers here; nobody writes
# larger ones.
BUDGET = {
    "connect": (127, 51, 25),
    "login": (440, 255, 47),
    "retr": (431, 311, 57),
    "stor": (749, 493, 72),
    "stor-over": (752, 504, 73),
    "mlsd": (963, 612, 60),
    "noop": (66, 43, 16),
    "tls-auth": (409, 245, 32),
    "tls-login": (459, 271, 49),
    "tls-retr": (666, 445, 64),
    "tls-stor": (945, 611, 79),
    "tls-stor-over": (957, 623, 80),
    "tls-mlsd": (1185, 743, 67),
    "tls-noop": (78, 52, 19),
    "client-download": (457, 167, 21),
    "client-upload": (473, 167, 22),
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
