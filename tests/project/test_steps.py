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
# This budget only shrinks: a change that shortens the way writes the smaller numbers here, and none
# writes larger ones. One exception: what a ClientHello offers is read in a file of its own, so that
# OpenSSL's session need not be (the first number became smaller with it). Another one: an upload
# over a file begins its partial upload on the disk before the reply 150, in one more call of the
# pool, since a client that resumes after a kill must not take the size of the old file for what
# arrived.
BUDGET = {
    "connect": (109, 51, 25),
    "login": (184, 116, 36),
    "retr": (246, 155, 43),
    "stor": (415, 220, 53),
    "stor-over": (515, 282, 56),
    "mlsd": (390, 234, 48),
    "noop": (44, 20, 12),
    "tls-auth": (307, 168, 31),
    "tls-login": (184, 124, 37),
    "tls-retr": (430, 271, 52),
    "tls-stor": (570, 338, 63),
    "tls-stor-over": (687, 404, 66),
    "tls-mlsd": (553, 340, 57),
    "tls-noop": (45, 25, 14),
    "client-download": (298, 82, 12),
    "client-upload": (334, 91, 16),
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
