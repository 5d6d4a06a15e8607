"""The command line, as a frozen value."""

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
    """Read the command line; exits if it makes no sense."""
    parser = _parser()
    given = parser.parse_args(words)
    if given.quick:
        given.rounds, given.scale = 1, 0.1
    if given.rounds < 1 or not 0 < given.scale <= 1:
        parser.error("--rounds is at least 1, --scale more than 0 and at most 1")
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
        description="Measures this server and its peers side by side, on loopback.",
        epilog=f"Jobs: {', '.join(job.name for job in JOBS)}. Servers: {', '.join(NAMES)}. "
        "benchmarks/install-peers fetches the servers that are not in Python.",
    )
    add = parser.add_argument
    add("--jobs", default="*", help="names or patterns, with commas: retr1,stor*,small-*")
    add("--servers", default="*", help="names or patterns, with commas (default: all found)")
    add("--rounds", type=int, default=5, help="medians are of so many (default: 5)")
    add("--scale", type=float, default=1.0, help="0.1: a tenth of all sizes and counts")
    add("--quick", action="store_true", help="the same as --rounds 1 --scale 0.1")
    add(
        "--directory",
        default=str(MEMORY) if os.access(MEMORY, os.W_OK) else tempfile.gettempdir(),
        help="where the data is, a tmpfs (default: %(default)s)",
    )
    add("--output", default=str(HERE / "results"), help="default: benchmarks/results")
    add("--render", metavar="JSON", help="measure nothing; table and plot from older results")
    return parser


def _chosen(
    parser: argparse.ArgumentParser, kind: str, patterns: str, names: tuple[str, ...]
) -> tuple[str, ...]:
    found: set[str] = set()
    for pattern in patterns.split(","):
        fitting = set(fnmatch.filter(names, pattern))
        if not fitting:
            parser.error(f"no {kind} {pattern!r}; there are {', '.join(names)}")
        found |= fitting
    return tuple(name for name in names if name in found)
