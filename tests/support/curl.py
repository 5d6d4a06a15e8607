"""Runs curl against one service."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest

from tests.support.client_programs import CompletedProgram, program, run
from tests.support.raw_client import RunningService

__all__ = ["ACTIVE", "METHODS", "Curl", "curl"]

ACTIVE = ("--ftp-port", "-")
"""The options for active mode.

Tests with many files use it: in passive mode curl 7.88 sleeps for a second if the 229 has arrived
before it polls, a few microseconds after its EPSV (on this machine one transfer in five to twenty).
"""
METHODS = ("multicwd", "nocwd", "singlecwd")


class Curl:
    """Runs curl against one service."""

    def __init__(self, served: RunningService, tmp_path: Path, host: str = "127.0.0.1") -> None:
        self._program = program("curl")
        self._host = f"[{host}]" if ":" in host else host
        self.served = served
        self.tmp_path = tmp_path

    def url(self, path: str = "", account: str = "demo:demo") -> str:
        """Return the URL of a path."""
        return f"ftp://{account}@{self._host}:{self.served.port}/{quote(path)}"

    def __call__(self, *words: str | Path, status: int | None = 0) -> CompletedProgram:
        """Run curl without globbing of URLs."""
        command = [self._program, "-q", "-sS", "-g", "--max-time", "50"]
        return run([*command, *words], self.tmp_path, status=status)


@pytest.fixture
def curl(served: RunningService, tmp_path: Path) -> Curl:
    """curl for a service with default settings."""
    return Curl(served, tmp_path)
