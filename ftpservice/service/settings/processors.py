"""The number of processors that this process may use: of the machine, or of its container."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

__all__ = ["processor_count"]

CGROUPS = "sys/fs/cgroup"
VERSION_1: tuple[str, ...] = ("cpu.cfs_quota_us", "cpu.cfs_period_us")
VERSION_2: tuple[str, ...] = ("cpu.max",)
"""The files of a limit, by the version of control groups."""


def processor_count(root: Path = Path("/")) -> int:
    """Return how many processors the affinity and the limits of the control groups leave.

    A limit on time (``docker run --cpus 1.5``, limits of Kubernetes, ``CPUQuota=`` of systemd) is
    rounded up.
    """
    limits = [math.ceil(limit) for limit in _limits(root)]
    return max(1, min([len(os.sched_getaffinity(0)), *limits]))


def _limits(root: Path) -> Iterator[float]:
    """Yield the processors that the control groups of this process allow, as far as is known."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _number, controllers, path = line.split(":", 2)
        if not controllers:
            top, files = root / CGROUPS, VERSION_2
        elif "cpu" in controllers.split(","):
            top, files = root / CGROUPS / "cpu", VERSION_1
        else:
            continue
        for group in _with_parents(top, path):
            yield from _limit_of(*(group / file for file in files))


def _with_parents(top: Path, path: str) -> Iterator[Path]:
    """Yield a control group and those that it is in; in a container ``path`` may not exist."""
    group = Path(os.path.normpath("/" + path.strip("/")).lstrip("/"))
    yield top / group
    for parent in group.parents:
        yield top / parent


def _limit_of(*files: Path) -> Iterator[float]:
    """Yield the limit that files have: of time in a period of time (cgroups(7))."""
    with suppress(OSError, ValueError, ZeroDivisionError):
        quota, period = map(int, " ".join(one.read_text() for one in files).split())
        if quota > 0:  # version 1 has -1 for none, version 2 "max"
            yield quota / period
