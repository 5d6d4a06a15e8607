"""What the processes of the service hold: memory, descriptors, threads, ports, connections."""

from __future__ import annotations

import os
import re
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import family

__all__ = ["PIPE", "WORKER_MODULE", "ProcessCensus", "census", "is_worker"]

PROC = Path("/proc")
WORKER_MODULE = b"ftpservice.workers"
LISTENING = "0A"
PIPE = "pipe:[N]"
NUMBERS = re.compile(r"\d{3,}")
"""In the names of pipes and of files that follow one another."""
SOCKET = re.compile(r"socket:\[(\d+)\]")


@dataclass(frozen=True)
class ProcessCensus:
    """One process."""

    pid: int
    role: str
    """service or worker."""
    resident: int
    anonymous: int
    """Bytes, those of the heap; the resident ones have shared pages and files too."""
    threads: int
    descriptors: dict[str, int]
    """By what they refer to."""
    ports: tuple[int, ...]
    """The TCP ports on which it listens."""
    connections: int
    """TCP connections."""


def census(root: int) -> list[ProcessCensus]:
    """Return the processes of the service whose first process is ``root``."""
    sockets = _tcp_sockets()
    found = []
    for pid in family(root):
        with suppress(OSError):
            found.append(_process(pid, "worker" if is_worker(pid) else "service", sockets))
    return found


def is_worker(pid: int) -> bool:
    """Return whether a process is a worker."""
    with suppress(OSError):
        return WORKER_MODULE in (PROC / str(pid) / "cmdline").read_bytes()
    return False


def _process(pid: int, role: str, sockets: dict[str, tuple[str, int]]) -> ProcessCensus:
    memory = _memory(pid)
    targets = _descriptors(pid)
    owned = [
        sockets[match[1]] for match in map(SOCKET.match, targets) if match and match[1] in sockets
    ]
    return ProcessCensus(
        pid=pid,
        role=role,
        resident=memory.get("Rss", 0),
        anonymous=memory.get("Anonymous", 0),
        threads=len(os.listdir(PROC / str(pid) / "task")),
        descriptors=dict(Counter(map(_kind, targets))),
        ports=tuple(sorted(port for state, port in owned if state == LISTENING)),
        connections=sum(state != LISTENING for state, _ in owned),
    )


def _memory(pid: int) -> dict[str, int]:
    text = (PROC / str(pid) / "smaps_rollup").read_text(encoding="utf-8")
    found = re.findall(r"^(\w+):\s+(\d+) kB", text, re.MULTILINE)
    return {name: int(size) * 1024 for name, size in found}


def _descriptors(pid: int) -> list[str]:
    folder = PROC / str(pid) / "fd"
    found = []
    for name in os.listdir(folder):
        with suppress(OSError):
            found.append(os.readlink(folder / name))
    return found


def _kind(target: str) -> str:
    if target.startswith("socket:"):
        return "socket"
    return NUMBERS.sub("N", target)


def _tcp_sockets() -> dict[str, tuple[str, int]]:
    """Return state and local port of all TCP sockets, by inode."""
    found = {}
    for name in ("tcp", "tcp6"):
        for line in (PROC / "net" / name).read_text(encoding="utf-8").splitlines()[1:]:
            fields = line.split()
            found[fields[9]] = (fields[3], int(fields[1].rpartition(":")[2], 16))
    return found
