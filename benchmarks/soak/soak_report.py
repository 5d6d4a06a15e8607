"""The report of a run, as text and JSON."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.soak.census import ProcessCensus
from benchmarks.soak.judgement import memory_growth

__all__ = ["SHOWN_PROBLEMS", "SoakReport"]

MIB = 1 << 20
SHOWN_TEXTS = 15
SHOWN_PROBLEMS = 50


@dataclass
class SoakReport:
    """What happened; without ``problems`` nothing is left over."""

    settings: dict[str, Any]
    seconds: float = 0.0
    outcomes: Counter[str] = field(default_factory=Counter)
    """Number of sessions by ``honest/NAME/OUTCOME`` (or ``hostile/...``)."""
    counts: Counter[str] = field(default_factory=Counter)
    texts: Counter[str] = field(default_factory=Counter)
    """Why sessions were lost or refused."""
    operator: Counter[str] = field(default_factory=Counter)
    kills: list[tuple[float, str]] = field(default_factory=list)
    censuses: list[list[ProcessCensus]] = field(default_factory=list)
    lost_events: dict[str, int] = field(default_factory=dict)
    """Events that the journal counted instead of keeping them, by reason."""
    problems: list[str] = field(default_factory=list)

    def add(self, answer: dict[str, Any]) -> None:
        """Add the answer of a process with clients."""
        self.outcomes.update(answer["outcomes"])
        self.counts.update(answer["counts"])
        self.texts.update(answer["texts"])
        self.problems += answer["problems"]

    @property
    def success(self) -> float:
        """The share of the sessions that should succeed and did."""
        honest = {name: number for name, number in self.outcomes.items() if _is_honest(name)}
        done = sum(number for name, number in honest.items() if name.endswith("/done"))
        return done / (sum(honest.values()) or 1)

    def write(self, folder: Path) -> None:
        """Write ``soak.json`` and ``soak.txt``."""
        folder.mkdir(parents=True, exist_ok=True)
        values = vars(self) | {
            "success": self.success,
            "growth": memory_growth(self.censuses),
            "censuses": [[asdict(process) for process in census] for census in self.censuses],
        }
        (folder / "soak.json").write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
        (folder / "soak.txt").write_text(self.text() + "\n", encoding="utf-8")

    def text(self) -> str:
        """Return it as text."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield ", ".join(f"{name} {value}" for name, value in self.settings.items())
        yield (
            f"{self.outcomes.total()} sessions in {self.seconds:.0f} s, {self.success:.1%} of the "
            f"honest ones complete; {self.counts['uploads']} uploads "
            f"({self.counts['bytes up'] / MIB:.0f} MiB), {self.counts['downloads']} downloads, "
            f"{self.counts['failed logins']} failed logins, {len(self.kills)} kills"
        )
        yield from self._table()
        yield "operator: " + ", ".join(
            f"{number} x {name}" for name, number in self.operator.items()
        )
        for text, number in self.texts.most_common(SHOWN_TEXTS):
            yield f"  {number:6} x {text}"
        for number, census in enumerate(self.censuses):
            yield f"after phase {number}: " + "; ".join(map(_process_text, census))
        for name, growth in memory_growth(self.censuses).items():
            yield f"{name}: {growth:+.2%} over the last half"
        for reason, number in self.lost_events.items():
            yield f"journal: {number} events lost: {reason}"
        if not self.problems:
            yield "nothing is left over"
        for problem in self.problems[:SHOWN_PROBLEMS]:
            yield f"PROBLEM: {problem}"
        if len(self.problems) > SHOWN_PROBLEMS:
            yield f"and {len(self.problems) - SHOWN_PROBLEMS} more problems"

    def _table(self) -> Iterator[str]:
        by_session: dict[str, Counter[str]] = defaultdict(Counter)
        for name, number in self.outcomes.items():
            kind, session, outcome = name.split("/")
            by_session[f"{session} ({kind})"][outcome] += number
        for session, outcomes in sorted(by_session.items()):
            found = ", ".join(f"{number} {outcome}" for outcome, number in outcomes.most_common())
            yield f"  {session}: {found}"


def _is_honest(name: str) -> bool:
    return name.startswith("honest/")


def _process_text(process: ProcessCensus) -> str:
    return (
        f"{process.role} {process.pid}: RSS {process.resident / MIB:.1f} MiB, of it "
        f"{process.anonymous / MIB:.1f} MiB anonymous, "
        f"{sum(process.descriptors.values())} descriptors, {process.threads} threads"
    )
