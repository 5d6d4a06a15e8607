"""The description of the machine, and its limits."""

from __future__ import annotations

import os
import platform
import resource
import socket
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

__all__ = ["describe", "descriptors", "raise_limits"]

WANTED_DESCRIPTORS = 65_536
"""More than 20,000 sessions need."""
TCP_ULP = 31
"""See ``linux/tcp.h``."""


def raise_limits() -> None:
    """Raise the limit of descriptors, for this process and its children.

    Root may have `WANTED_DESCRIPTORS`, others what the hard limit allows.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < WANTED_DESCRIPTORS:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (WANTED_DESCRIPTORS, WANTED_DESCRIPTORS))
            return
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def descriptors() -> int:
    """Return the limit of descriptors of a process."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def describe(scale: float, rounds: int) -> dict[str, Any]:
    """Return the facts about the machine and the run that the results contain."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": _field(Path("/proc/cpuinfo"), "model name"),
        "cores": len(os.sched_getaffinity(0)),
        "memory": _field(Path("/proc/meminfo"), "MemTotal"),
        "system": f"{platform.system()} {platform.release()}",
        "kernel_tls": _has_kernel_tls(),
        "python": platform.python_version(),
        "load": os.getloadavg()[0],
        "scale": scale,
        "rounds": rounds,
    }


def _has_kernel_tls() -> bool:
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        socket.create_connection(listening.getsockname()) as end,
    ):
        try:
            end.setsockopt(socket.IPPROTO_TCP, TCP_ULP, b"tls")
        except OSError:
            return False
        return True


def _field(path: Path, name: str) -> str:
    for line in path.read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return "unknown"
