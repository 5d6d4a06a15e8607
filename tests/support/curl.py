"""curl, as it is run against one service."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest

from tests.support.client_programs import Ended, program, run
from tests.support.raw_client import Served

__all__ = ["ACTIVE", "METHODS", "Curl", "curl"]

ACTIVE = ("--ftp-port", "-")
"""The words for active mode.

Jobs of many files use it, for passive curl 7.88 sleeps a second when the 229 is there before it
looks, a few microseconds after its EPSV: on this machine in one transfer of five to twenty.
"""
METHODS = ("multicwd", "nocwd", "singlecwd")


class Curl:
    """curl, as it is run against one service."""

    def __init__(self, served: Served, tmp_path: Path, host: str = "127.0.0.1") -> None:
        self._program = program("curl")
        self._place = f"[{host}]" if ":" in host else host
        self.served = served
        self.tmp_path = tmp_path

    def url(self, path: str = "", account: str = "demo:demo") -> str:
        """Return the URL of a path."""
        return f"ftp://{account}@{self._place}:{self.served.port}/{quote(path)}"

    def __call__(self, *words: str | Path, status: int | None = 0) -> Ended:
        """Run it; globbing of URLs is off."""
        silent = [self._program, "-q", "-sS", "-g", "--max-time", "50"]
        return run([*silent, *words], self.tmp_path, status=status)


@pytest.fixture
def curl(served: Served, tmp_path: Path) -> Curl:
    """Return curl, to run against an ordinary service."""
    return Curl(served, tmp_path)
