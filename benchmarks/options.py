"""The command line as a frozen value."""

from __future__ import annotations

import argparse
import fnmatch
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.jobs import JOBS, Job
from benchmarks.servers.lineup import NAMES

__all__ = ["Choice", "parse"]

HERE = Path(__file__).parent
MEMORY = Path("/dev/shm")


@dataclass(frozen=True)
class Choice:
    """What to measure, how often, and where the results go."""

    jobs: tuple[Job, ...]
    servers: tuple[str, ...]
    rounds: int
    scale: float
    directory: Path
    output: Path
    render: Path | None


def parse(words: Sequence[str]) -> Choice:
    """Parse the command line; exits if it is invalid."""
    parser = _parser()
    given = parser.parse_args(words)
    if given.quick:
        given.rounds, given.scale = 1, 0.1
    if given.rounds < 1 or not 0 < given.scale <= 1:
        parser.error("--rounds must be at least 1, --scale more than 0 and at most 1")
    jobs = _chosen(parser, "job", given.jobs, tuple(job.name for job in JOBS))
    return Choice(
        jobs=tuple(job for job in JOBS if job.name in jobs),
        servers=_chosen(parser, "server", given.servers, NAMES),
        rounds=given.rounds,
        scale=given.scale,
        directory=Path(given.directory),
        output=Path(given.output),
        render=Path(given.render) if given.render else None,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure this server and other FTP servers on loopback.",
        epilog=f"Jobs: {', '.join(job.name for job in JOBS)}. Servers: {', '.join(NAMES)}. "
        "benchmarks/install-peers installs the servers written in C.",
    )
    add = parser.add_argument
    add("--jobs", default="*", help="names or patterns, separated by commas: retr1,stor*,small-*")
    add(
        "--servers",
        default="*",
        help="names or patterns, separated by commas (default: all that are installed)",
    )
    add("--rounds", type=int, default=5, help="number of samples for each median (default: 5)")
    add(
        "--scale",
        type=float,
        default=1.0,
        help="factor for all sizes and counts, at most 1 (default: 1)",
    )
    add("--quick", action="store_true", help="same as --rounds 1 --scale 0.1")
    add(
        "--directory",
        default=str(MEMORY) if os.access(MEMORY, os.W_OK) else tempfile.gettempdir(),
        help="directory for the data, on a tmpfs (default: %(default)s)",
    )
    add(
        "--output",
        default=str(HERE / "results"),
        help="directory for the results (default: benchmarks/results)",
    )
    add("--render", metavar="JSON", help="only make the table and the plot, from earlier results")
    return parser


def _chosen(
    parser: argparse.ArgumentParser, kind: str, patterns: str, names: tuple[str, ...]
) -> tuple[str, ...]:
    found: set[str] = set()
    for pattern in patterns.split(","):
        matching = set(fnmatch.filter(names, pattern))
        if not matching:
            parser.error(f"no {kind} {pattern!r}; choose from {', '.join(names)}")
        found |= matching
    return tuple(name for name in names if name in found)
