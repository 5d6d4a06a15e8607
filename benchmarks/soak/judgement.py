"""What a series of censuses says: whether anything grows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from statistics import mean

from benchmarks.soak.census import PIPE, ProcessCensus

__all__ = ["growth_problems", "memory_growth"]

Censuses = Sequence[Sequence[ProcessCensus]]
"""Taken when no session was left, one after each phase."""
MAX_GROWTH = 0.02
LEAST_POINTS = 3
MAX_NEW_THREADS = 8
"""Pools start threads when there is work for them; they are bounded."""


def second_half(censuses: Censuses) -> dict[int, list[ProcessCensus]]:
    """Return the series of each process that lives through enough of the last half."""
    found: dict[int, list[ProcessCensus]] = {}
    for census in censuses[len(censuses) // 2 :]:
        for process in census:
            found.setdefault(process.pid, []).append(process)
    return {pid: series for pid, series in found.items() if len(series) >= LEAST_POINTS}


def memory_growth(censuses: Censuses) -> dict[str, float]:
    """Return by how much memory grew over the last half, as a share, by process."""
    found = {}
    for pid, series in second_half(censuses).items():
        found[f"{series[0].role} {pid} RSS"] = _growth([one.resident for one in series])
    return found


def growth_problems(censuses: Censuses, judges_memory: bool) -> Iterator[str]:
    """Name what is more at the end than in the middle."""
    series_by_process = second_half(censuses)
    if not series_by_process:
        yield "no process lived long enough to be judged"
    for pid, series in series_by_process.items():
        first, last, name = series[0], series[-1], f"{series[0].role} {pid}"
        if more := _new_descriptors(first, last):
            yield f"{name}: more descriptors than in the middle: {dict(more)}"
        if last.threads > first.threads + MAX_NEW_THREADS:
            yield f"{name}: {first.threads} threads in the middle, {last.threads} at the end"
    if judges_memory:
        for name, growth in memory_growth(censuses).items():
            if growth > MAX_GROWTH:
                yield f"{name} grew by {growth:.1%} over the last half"


def _new_descriptors(first: ProcessCensus, last: ProcessCensus) -> dict[str, int]:
    """Return of what there is more.

    A file or a directory may be open once more, as it is used, and a thread may have a pipe.
    """
    allowed = {
        kind: first.descriptors.get(kind, 0) + kind.startswith("/") for kind in last.descriptors
    }
    allowed[PIPE] = max(allowed.get(PIPE, 0), 2 * last.threads)
    return dict(Counter(last.descriptors) - Counter(allowed))


def _growth(sizes: Sequence[int]) -> float:
    """Return by how much the last third is more than the first, on average.

    Between two phases it changes by some percent, as the allocator keeps what was freed.
    """
    third = max(1, len(sizes) // 3)
    before = mean(sizes[:third])
    return mean(sizes[-third:]) / before - 1 if before else 0.0
