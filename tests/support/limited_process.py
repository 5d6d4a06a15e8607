"""Limits of a running process (setrlimit), its processor time, descriptors and memory."""

from __future__ import annotations

import os
import re
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = [
    "as_unprivileged",
    "cpu_seconds",
    "descriptor_count",
    "descriptors_left",
    "limit_descriptors",
    "limit_threads",
    "open_sockets",
    "resident_bytes",
    "thread_count",
]


def as_unprivileged(user: int, reads_all: bool = False) -> list[str]:
    """Return the beginning of a command that runs as ``user``: root has no limit on threads."""
    words = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]
    if reads_all:  # the interpreter may be in a directory of root
        capability = "-all,+dac_read_search"
        words += [f"--inh-caps={capability}", f"--ambient-caps={capability}"]
    return words


def descriptor_count(process: int) -> int:
    """Return the number of open descriptors."""
    return len(os.listdir(f"/proc/{process}/fd"))


def open_sockets(process: int) -> set[str]:
    """Return the open sockets of a process: without files that it opens for a moment."""
    found = set()
    for path in Path(f"/proc/{process}/fd").iterdir():
        with suppress(FileNotFoundError):
            found.add(os.readlink(path))
    return {name for name in found if name.startswith("socket:")}


def thread_count(process: int) -> int:
    """Return the number of threads."""
    return len(os.listdir(f"/proc/{process}/task"))


def limit_descriptors(process: int, most: int) -> None:
    """Set the soft limit on descriptors."""
    _, hard = resource.prlimit(process, resource.RLIMIT_NOFILE)
    resource.prlimit(process, resource.RLIMIT_NOFILE, (most, hard))


@contextmanager
def descriptors_left(count: int) -> Iterator[None]:
    """Have this process open no more than so many further descriptors."""
    used = {int(name) for name in os.listdir("/proc/self/fd")}
    free = [number for number in range(max(used) + count + 2) if number not in used]
    before, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free[count], hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (before, hard))


def limit_threads(process: int, user: int, most: int) -> None:
    """Set the soft limit on the threads of the user of a process."""
    words = [*as_unprivileged(user), "prlimit", f"--pid={process}", f"--nproc={most}:"]
    subprocess.run(words, check=True)


def cpu_seconds(process: int) -> float:
    """Return the processor time used so far."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_bytes(process: int) -> int:
    """Return the memory in use."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024
