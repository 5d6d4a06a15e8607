"""CPU time and memory of a server's processes, from /proc; ended children are included."""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path

__all__ = ["cpu_of", "cpu_seconds", "family", "memory"]

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")
PARENT, USER_TIME, END_OF_TIMES = 1, 11, 15


def _fields(number: int) -> list[str]:
    """Return the fields of ``stat`` from the state on; empty if the process has ended."""
    try:
        text = (PROC / str(number) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return text[text.rindex(")") + 2 :].split()


def family(root: int) -> list[int]:
    """Return a process and its descendants."""
    children: dict[int, list[int]] = defaultdict(list)
    for entry in PROC.iterdir():
        if entry.name.isdigit() and (fields := _fields(int(entry.name))):
            children[int(fields[PARENT])].append(int(entry.name))
    found = [root]
    for number in found:
        found += children[number]
    return found


def cpu_seconds(root: int) -> float:
    """Return the CPU time of a server: its own, its children's and its ended children's."""
    return sum(map(cpu_of, family(root)))


def cpu_of(number: int) -> float:
    """Return the CPU time of a process and of its ended children; 0 if it has ended."""
    return sum(map(int, _fields(number)[USER_TIME:END_OF_TIMES])) / TICKS


def memory(root: int) -> int:
    """Return the bytes of anonymous memory of a server; shared pages count by their share."""
    return sum(_anonymous(number) for number in family(root))


def _anonymous(number: int) -> int:
    try:
        text = (PROC / str(number) / "smaps_rollup").read_text(encoding="utf-8")
    except OSError:
        return 0
    for line in text.splitlines():
        if line.startswith("Pss_Anon:"):
            return int(line.split()[1]) * 1024
    return 0
