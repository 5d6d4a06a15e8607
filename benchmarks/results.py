"""The measured samples, their medians and ratios; stored as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.jobs import BEST_C, BEST_PEER, BEST_PYFTPDLIB, CORES, JOBS, Goal, Job, Measure
from benchmarks.servers.lineup import IN_C, OURS_ALL, PYFTPDLIB_ALL

__all__ = ["Outcome", "Reached", "Results", "Row", "Sample"]

GIB = 1 << 30


@dataclass(frozen=True)
class Sample:
    """One measured number, and its cost."""

    value: float
    seconds: float = 0.0
    bytes: int = 0
    operations: int = 0
    client_cpu: float = 0.0
    server_cpu: float = 0.0
    secured: int = 0
    """Number of data connections with TLS."""
    resumed: int = 0
    """Number of them that resumed the TLS session of their control connection."""

    def share(self, cpu: float) -> float:
        """Return CPU seconds as a share of one core."""
        return cpu / (self.seconds or 1.0)


@dataclass
class Outcome:
    """The result of one server in one job."""

    samples: list[Sample] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Whether there are samples or failures."""
        return bool(self.samples or self.failures)

    @property
    def out(self) -> bool:
        """Whether it failed too often: twice without a sample, or three times in all."""
        return len(self.failures) > (2 if self.samples else 1)

    @property
    def usable(self) -> bool:
        """Whether its numbers count."""
        return bool(self.samples) and not self.out

    @property
    def value(self) -> float:
        """The median."""
        return median(sample.value for sample in self.samples)

    @property
    def spread(self) -> tuple[float, float]:
        """The minimum and the maximum."""
        values = [sample.value for sample in self.samples]
        return min(values), max(values)

    @property
    def client_share(self) -> float:
        """The median share of one core that the clients used."""
        return median(sample.share(sample.client_cpu) for sample in self.samples)

    @property
    def server_share(self) -> float:
        """The median share of one core that the server used."""
        return median(sample.share(sample.server_cpu) for sample in self.samples)

    @property
    def resumed(self) -> tuple[int, int]:
        """The number of data connections with a resumed TLS session, and of all with TLS."""
        return sum(it.resumed for it in self.samples), sum(it.secured for it in self.samples)

    def cost(self, measure: Measure) -> str:
        """Return the server's CPU time, by GiB or by operation."""
        if measure in (Measure.MEMORY, Measure.STALL):
            return ""
        bytes_count = measure in (Measure.RATE, Measure.TAIL)
        units = [
            sample.bytes / GIB if bytes_count else sample.operations for sample in self.samples
        ]
        each = median(
            sample.server_cpu / unit for sample, unit in zip(self.samples, units, strict=True)
        )
        return f"{each:.2f} s/GiB" if bytes_count else f"{each * 1e6:.0f} us/op"


@dataclass(frozen=True)
class Reached:
    """A goal, and the result."""

    server: str
    factor: float
    reference: str
    ratio: float
    met: bool


@dataclass
class Row:
    """One job with all its outcomes."""

    job: Job
    outcomes: dict[str, Outcome]

    def reference(self, name: str) -> float | None:
        """Return the number of a server or of the best of a group; None if there is none."""
        groups = {
            BEST_C: IN_C,
            BEST_PEER: tuple(set(self.outcomes) - {*OURS_ALL}),
            BEST_PYFTPDLIB: PYFTPDLIB_ALL,
        }
        chosen = groups.get(name, (name,))
        values = [
            outcome.value
            for server, outcome in self.outcomes.items()
            if server in chosen and outcome.usable
        ]
        best = max if self.job.measure.more_is_better else min
        return best(values) if values else None

    def ratio(self, server: str, reference: str) -> float | None:
        """Return a server's number divided by the reference's."""
        own, other = self.reference(server), self.reference(reference)
        return own / other if own is not None and other else None

    def reached(self) -> list[Reached]:
        """Return the goals for this job whose references were measured."""
        found = []
        for goal in self.job.goals:
            ratio = self._against(goal)
            if ratio is not None:
                more = self.job.measure.more_is_better or goal.reference == CORES
                met = ratio >= goal.factor if more else ratio <= goal.factor
                found.append(Reached(goal.server, goal.factor, goal.reference, ratio, met))
        return found

    def _against(self, goal: Goal) -> float | None:
        ours = self.outcomes.get(goal.server)
        if ours is None or not ours.usable:
            return None
        if goal.reference == CORES:
            return ours.server_share + ours.client_share
        return self.ratio(goal.server, goal.reference) if goal.reference else ours.value


@dataclass
class Results:
    """All rows, and the machine they were measured on."""

    machine: dict[str, Any]
    rows: list[Row] = field(default_factory=list)

    @property
    def servers(self) -> list[str]:
        """All servers with results, in order."""
        return list(dict.fromkeys(name for row in self.rows for name in row.outcomes))

    def add(self, job: Job, outcomes: dict[str, Outcome]) -> None:
        """Add the results of a job."""
        self.rows.append(Row(job, outcomes))

    def write(self, path: Path) -> None:
        """Write it as JSON, with the medians."""
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = [
            {"job": row.job.name, "unit": row.job.measure.unit, **_as_json(row)}
            for row in self.rows
        ]
        path.write_text(json.dumps({"machine": self.machine, "rows": rows}, indent=1) + "\n")

    @classmethod
    def read(cls, path: Path) -> Results:
        """Read what `write` wrote; jobs that no longer exist are left out."""
        found = json.loads(path.read_text(encoding="utf-8"))
        jobs = {job.name: job for job in JOBS}
        return cls(
            found["machine"],
            [
                Row(jobs[row["job"]], {name: _outcome(it) for name, it in row["servers"].items()})
                for row in found["rows"]
                if row["job"] in jobs
            ],
        )


def _as_json(row: Row) -> dict[str, Any]:
    return {
        "goals": [asdict(reached) for reached in row.reached()],
        "servers": {
            name: asdict(outcome) | ({"median": outcome.value} if outcome.samples else {})
            for name, outcome in row.outcomes.items()
        },
    }


def _outcome(values: dict[str, Any]) -> Outcome:
    return Outcome([Sample(**sample) for sample in values["samples"]], values["failures"])
