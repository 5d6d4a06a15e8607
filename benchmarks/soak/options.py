"""The command line as a frozen value."""

from __future__ import annotations

import argparse
import os
import random
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Choice", "parse"]

SESSIONS_PER_MINUTE = 100_000 / 30
FULL_MINUTES = 30.0
"""At the default rate these are 24 hours."""
RESULTS = Path(__file__).parent.parent / "results"
MEMORY = Path("/dev/shm")
PROGRAMS = ("curl", "lftp")
"""Clients; without them a part of the sessions would be none."""


@dataclass(frozen=True)
class Choice:
    """One run."""

    workers: int
    minutes: float
    sessions: int
    rate: float
    kills: bool
    seed: int
    phases: int
    slots: int
    """Sessions at a time."""
    only: str
    """Pattern for the names of sessions."""
    directory: Path
    output: Path

    @property
    def hours(self) -> float:
        """The hours that pass for the service."""
        return self.minutes * self.rate / 60


def parse(words: Sequence[str]) -> Choice:
    """Parse the command line; exits if it is invalid."""
    parser = _parser()
    given = parser.parse_args(words)
    if given.minutes <= 0 or given.rate < 1 or given.workers < 1 or given.slots < 4:
        parser.error("--minutes more than 0, --rate and --workers at least 1, --slots at least 4")
    if missing := [name for name in PROGRAMS if shutil.which(name) is None]:
        parser.error(f"not installed: {', '.join(missing)}")
    phases = given.phases or max(4, min(16, round(given.minutes)))
    return Choice(
        workers=given.workers,
        minutes=given.minutes,
        sessions=given.sessions or max(1, round(given.minutes * SESSIONS_PER_MINUTE)),
        rate=given.rate,
        kills=given.kill,
        seed=given.seed if given.seed is not None else random.randrange(1_000_000),
        phases=phases,
        slots=given.slots,
        only=given.only,
        directory=Path(given.directory),
        output=Path(given.output),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.soak",
        description="Run a service with mixed clients and a fast clock, and check that nothing is "
        "left over: memory, descriptors, ports, threads, partial uploads, counts; that every "
        "confirmed upload is there; and that the journal agrees. The exit status is 1 otherwise.",
    )
    add = parser.add_argument
    add("--workers", type=int, default=1, help="worker processes of the service (default: 1)")
    add("--minutes", type=float, default=FULL_MINUTES, help="duration (default: %(default)g)")
    add("--sessions", type=int, help="sessions in all (default: 100,000 in 30 minutes)")
    add(
        "--rate",
        type=float,
        default=48.0,
        help="how many times as fast the service's time passes (default: 48, a day in 30 minutes)",
    )
    add("--kill", action="store_true", help="kill workers, or the service, in the first third")
    add("--seed", type=int, help="for the choice of sessions, files and kills (default: random)")
    add("--phases", type=int, help="number of parts, with checks in between")
    add("--slots", type=int, default=40, help="sessions at a time (default: %(default)s)")
    add("--only", default="*", help="pattern for the kinds of sessions: 'simple*'")
    add(
        "--directory",
        default=str(MEMORY) if os.access(MEMORY, os.W_OK) else tempfile.gettempdir(),
        help="directory for the files of the run (default: %(default)s)",
    )
    add("--output", default=str(RESULTS), help="directory for soak.json and soak.txt")
    return parser
