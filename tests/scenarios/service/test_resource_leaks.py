"""A stopped service or client leaves nothing open, on every reactor (checked by trial)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.service_process import checkout_environment

PATIENCE = 300


@pytest.mark.parametrize("reactor", ["epoll", "poll", "select", "asyncio"])
def test_no_resource_leaks(tmp_path: Path, reactor: str) -> None:
    trial = [sys.executable, "-m", "twisted.trial", f"--reactor={reactor}"]
    ended = subprocess.run(
        [*trial, f"--temp-directory={tmp_path / 'trial'}", "tests.support.trial_leak_tests"],
        cwd=tmp_path,
        env=checkout_environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
