"""What more cores add: ``python -m benchmarks.scaling [--rounds N] [--jobs JOBS] [--scale S]``.

Our service serves the same clients with one process and with two, three and four workers, in turn.
The processor time of an operation in the workers (w), the main process (m) and the clients (c) is
measured, and from it follows what a machine should do, whose number of cores is C and whose workers
are W, for jobs in which a process is busy with one thing at a time:

    operations a second = min(W / w, 1 / m, C / (w + m + c))

The first limit is the reactor of each worker, the second one that of the main process, which gets
all events, the third one the processors. w and m are those of two workers. The model is checked
against all numbers of workers on this machine; then c is left out, for clients that are elsewhere.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import astuple, dataclass
from pathlib import Path
from statistics import median

from benchmarks.jobs import JOBS, Job
from benchmarks.machine import describe, raise_limits
from benchmarks.measuring import Measuring
from benchmarks.programs import compiled
from benchmarks.rounds import Rounds
from benchmarks.servers.in_python import ours_workers
from benchmarks.servers.recipe import Peer
from benchmarks.servers.running import Running
from benchmarks.workspace import Workspace

__all__ = ["Cost", "main", "predicted", "report"]

DEFAULT_JOBS = "small-retr10,small-stor10,tls-small-retr10,tls-small-stor10"
WORKERS = (1, 2, 3, 4)
FITTED = 2
"""The number of workers whose costs are those of the model."""
CORES = (1, 2, 3, 4, 8)


@dataclass(frozen=True)
class Cost:
    """Seconds of processor time for an operation, and operations a second."""

    worker: float
    main: float
    client: float
    rate: float


def predicted(cost: Cost, workers: int, cores: float, clients_elsewhere: bool) -> float:
    """Return the operations a second of so many workers on so many cores."""
    each = cost.worker + cost.main + (0.0 if clients_elsewhere else cost.client)
    limits = [workers / cost.worker, cores / each]
    if cost.main:
        limits.append(1 / cost.main)
    return min(limits)


def measured(job: Job, space: Workspace, rounds: int) -> dict[int, Cost]:
    """Return the medians by the number of workers."""
    samples: dict[int, list[Cost]] = {count: [] for count in WORKERS}
    peers = {count: ours_workers(f"ours-{count}", count) for count in WORKERS}
    measuring = Measuring(space)
    with Rounds(space, list(peers.values()), rounds) as servers:
        servers.use(job.profile)
        for count in WORKERS * (rounds + 1):
            server = servers.server(peers[count])
            if server is None:
                raise SystemExit(f"{job.name} is not for several processes")
            samples[count].append(_cost(job, peers[count], server, measuring))
            print(f"  {job.name}, {count}: {samples[count][-1].rate:.0f}", file=sys.stderr)
    return {count: _medians(costs[1:]) for count, costs in samples.items()}  # one warms up


def _cost(job: Job, peer: Peer, server: Running, measuring: Measuring) -> Cost:
    before = server.cpu_of_processes
    sample = measuring.sample(job, peer, server)
    spent = {number: used - before[number] for number, used in server.cpu_of_processes.items()}
    _keeper, first, *others = (seconds / sample.operations for seconds in spent.values())
    main, worker = (first, sum(others)) if others else (0.0, first)
    client = sample.client_cpu / sample.operations
    return Cost(worker, main, client, sample.operations / sample.seconds)


def _medians(costs: list[Cost]) -> Cost:
    return Cost(*map(median, zip(*map(astuple, costs), strict=True)))


def report(job: Job, costs: dict[int, Cost]) -> str:
    """Return the measurements of a job, what the model says of them, and of other machines."""
    cores, fitted = len(os.sched_getaffinity(0)), costs[FITTED]
    lines = [
        f"{job.title}: microseconds of processor time, operations a second\n",
        "| workers | worker | main | client | measured | model |",
        "| ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for workers, cost in costs.items():
        known = cost if workers == 1 else fitted
        model = predicted(known, workers, cores, clients_elsewhere=False)
        times = " | ".join(f"{value * 1e6:.0f}" for value in (cost.worker, cost.main, cost.client))
        lines.append(f"| {workers} | {times} | {cost.rate:.0f} | {model:.0f} |")
    one = predicted(costs[1], 1, 1, clients_elsewhere=True)
    lines.append("\nWith clients elsewhere, and as many workers as cores (one process on one):\n")
    lines.append("| cores | " + " | ".join(map(str, CORES)) + " |")
    lines.append("| --- |" + " ---: |" * len(CORES))
    rates = [
        one if count == 1 else predicted(fitted, count, count, clients_elsewhere=True)
        for count in CORES
    ]
    lines.append("| operations a second | " + " | ".join(f"{rate:.0f}" for rate in rates) + " |")
    lines.append("| ratio | " + " | ".join(f"{rate / one:.2f}" for rate in rates) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling")
    parser.add_argument("--jobs", default=DEFAULT_JOBS, help="%(default)s")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="%(default)s")
    parser.add_argument("--scale", type=float, default=1.0, metavar="S", help="%(default)s")
    parser.add_argument("--directory", type=Path, default=Path("/dev/shm"), help="%(default)s")
    given = parser.parse_args()
    wanted = given.jobs.split(",")
    jobs = [job for job in JOBS if job.name in wanted]
    if unknown := set(wanted) - {job.name for job in jobs}:
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    raise_limits()
    machine = describe(given.scale, given.rounds)
    print(f"{machine['cpu']}, {machine['cores']} cores, load before {machine['load']}\n")
    with Workspace(given.directory, given.scale) as space:
        compiled(space.work)
        for job in jobs:
            print(report(job, measured(job, space, given.rounds)), flush=True)


if __name__ == "__main__":
    main()
