"""The simulation with many nodes: ``python -m benchmarks.scale [--nodes 10,100,1000] [--seed N]``.

Each fleet has a login a second and a node, sessions of 10 seconds, users with a limit of three
sessions and a limit in all that is reached. It goes through these phases:

- *calm*: nodes die and come back, clocks drift by up to 5 %, messages take a millisecond and up to
  some tenths of a second. Limits have to be exact.
- *bad*: of a hundred messages two are late by a second and one is lost, and nodes are cut off.
- *away*: the database is stopped for 20 seconds.
- *back*: the 40 seconds after that, without faults of nodes.

A rule of the limits that is broken ends the program with an error.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from benchmarks.scale.simulated_database import Network
from benchmarks.scale.simulated_fleet import Faults, Load, SimulatedFleet

__all__ = ["main"]

CALM = Network(slow=0.02, slow_seconds=0.1)
BAD = Network(slow=0.02, lost=0.01)
DEATHS = Faults(drift=0.05, deaths=0.002)
CUTS = replace(DEATHS, cuts=0.002)
START_SECONDS = 10.0
COLUMNS = (
    "nodes", "phase", "logins/s", "alone", "claims a login", "heartbeats/s", "claims/s",
    "messages/s", "delivered/s", "node rows/s", "most a second", "over: all", "over: user",
)  # fmt: skip


def fleet_of(nodes: int, seed: int) -> SimulatedFleet:
    """Return a fleet whose limits are reached."""
    load = Load(users=nodes * 4, most_in_all=nodes * 8)
    return SimulatedFleet(nodes, seed, CALM, DEATHS, load)


def phases(fleet: SimulatedFleet) -> Iterator[tuple[str, float]]:
    """Yield the name and the seconds of each phase, when it is to begin."""
    yield "start", START_SECONDS
    yield "calm", 40.0
    fleet.database.network, fleet.faults = BAD, CUTS
    yield "bad", 40.0
    fleet.database.network, fleet.faults = CALM, Faults(drift=0.05)
    fleet.database.stop()
    yield "away", 20.0
    fleet.database.start()
    yield "back", 40.0


def figures(fleet: SimulatedFleet, nodes: int, phase: str, seconds: float) -> list[str]:
    """Let a phase pass and return a row of the table."""
    database, book = fleet.database, fleet.book
    counts, begun = Counter(database.work_counts), Counter(book.begun)
    delivered, rows, most = database.delivered, database.rows_read, 0
    logins = fleet.counts["begun"]
    book.most_over.clear()
    for _ in range(round(seconds)):
        before = database.work_counts.total()
        fleet.run(1.0)
        most = max(most, database.work_counts.total() - before)
    counts = database.work_counts - counts
    logins = fleet.counts["begun"] - logins
    alone, leased = (book.begun[how] - begun[how] for how in ("alone", "by lease"))
    each = [counts["beat"], counts["claim"], counts["notify"], database.delivered - delivered]
    return [
        str(nodes),
        phase,
        f"{logins / seconds:,.0f}",
        f"{alone / max(1, alone + leased):.0%}",
        f"{counts['claim'] / max(1, logins):.1f}",
        *(f"{number / seconds:,.0f}" for number in (*each, database.rows_read - rows)),
        f"{most:,}",
        *(str(max(0, book.most_over[kind])) for kind in ("all", "user")),
    ]


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale")
    parser.add_argument("--nodes", default="10,100,1000", help="%(default)s")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="%(default)s")
    given = parser.parse_args()
    print(f"| {' | '.join(COLUMNS)} |\n|{' ---: |' * len(COLUMNS)}")
    for nodes in map(int, given.nodes.split(",")):
        began, fleet = time.process_time(), fleet_of(nodes, given.seed)
        for phase, seconds in phases(fleet):
            print(f"| {' | '.join(figures(fleet, nodes, phase, seconds))} |", flush=True)
        left = fleet.calm_down()
        print(
            f"\n{nodes} nodes: {fleet.counts['deaths']} deaths, {fleet.timeline.steps:,} events, "
            f"{time.process_time() - began:.0f} s; places left over: {left or 'none'}\n",
            flush=True,
        )


if __name__ == "__main__":
    main()
