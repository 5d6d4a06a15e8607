"""The jobs: what the load client does, the quantity that is measured, and the goals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Any

__all__ = [
    "BEST_C",
    "BEST_PEER",
    "BEST_PYFTPDLIB",
    "CORES",
    "JOBS",
    "Goal",
    "Job",
    "Measure",
    "Profile",
]

KIB = 1 << 10
MIB = 1 << 20
GIB = 1 << 30
BEST_C = "best C"
"""The best of the servers written in C."""
BEST_PEER = "best peer"
"""The best of all servers but ours."""
BEST_PYFTPDLIB = "best pyftpdlib"
"""The best of pyftpdlib's models: one process, several, one for each session."""
CORES = "cores"
"""The number of cores used by the server and the clients together."""
PYFTPDLIB = "pyftpdlib"
OURS, OURS_WORKERS = "ours", "ours-workers"


class Measure(Enum):
    """The quantity that a job measures: its unit, and whether more is better."""

    RATE = "MB/s", True
    FILES = "files/s", True
    LOGINS = "logins/s", True
    MEDIAN = "ms", False
    FIRST = "ms to first byte", False
    TAIL = "ms p99", False
    MEMORY = "KiB/session", False
    STALL = "ms longest", False

    @property
    def unit(self) -> str:
        """The unit of the number."""
        return self.value[0]

    @property
    def more_is_better(self) -> bool:
        """Whether a greater number is better."""
        return self.value[1]


class Profile(Enum):
    """How a server is started; a server without a recipe for it is left out."""

    PLAIN = "plain"
    FRESH = "fresh"
    """Plain, but in a new process for each sample."""
    TLS = "tls"
    """With a certificate; all connections of the clients use TLS."""
    THROTTLED = "throttled"
    DURABLE = "durable"
    """Ours sends 226 after fsync."""
    MEMORY = "memory"
    """Ours with the memory backend."""
    STALL = "stall"
    """Ours with a stall meter."""
    SLOW_DISK = "slow-disk"
    """Ours with a stall meter, and 200 ms for each call to the disk."""
    TLS_STALL = "tls-stall"
    """Ours with a stall meter and a certificate."""
    SIMPLE = "simple"
    """Ours with the simple protocol; the others with FTP."""

    @property
    def secure(self) -> bool:
        """Whether all connections use TLS."""
        return self in (Profile.TLS, Profile.TLS_STALL)

    @property
    def metered(self) -> bool:
        """Whether the longest stall is measured; only ours has a meter."""
        return self in (Profile.STALL, Profile.SLOW_DISK, Profile.TLS_STALL)


@dataclass(frozen=True)
class Goal:
    """A multiple of the reference: the least if more is better, otherwise the most."""

    factor: float
    reference: str
    """A server's name, or one of the groups above; empty: ``factor`` is the goal itself."""
    server: str = OURS
    """Whose goal it is."""


@dataclass(frozen=True)
class Job:
    """One row of the table. Sizes and counts are for scale 1."""

    name: str
    title: str
    measure: Measure
    verb: str
    """The load client's operation; empty: a mix of jobs."""
    clients: int = 1
    count: int = 1
    """Operations of each client."""
    size: int = 0
    """Bytes of one file."""
    entries: int = 0
    """Files to choose from, or lines to list."""
    text: bool = False
    profile: Profile = Profile.PLAIN
    types: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Transfer types by server, the default under an empty name; otherwise image (I)."""
    without: tuple[str, ...] = ()
    """Servers that are known to hang or fail in this job."""
    goals: tuple[Goal, ...] = ()

    def type_of(self, server: str) -> str:
        """Return the transfer type for a server: A or I."""
        return self.types.get(server, self.types.get("", "I"))

    @property
    def uploads(self) -> bool:
        """Whether the job creates files, which have to be checked and removed."""
        return self.verb == "stor"


MLSD: Any = {"without": ("twisted", "vsftpd")}
TYPE_A: Any = {"text": True, "types": MappingProxyType({"": "A"}), "without": ("twisted",)}
GENERIC: Any = {
    "text": True,
    "types": MappingProxyType({PYFTPDLIB: "A"}),
    "profile": Profile.MEMORY,
}

RETR_ONE = (Goal(2.0, PYFTPDLIB), Goal(1.1, BEST_C))
RETR_MANY = (Goal(1.0, BEST_PEER),)
STOR_ONE = (Goal(1.5, PYFTPDLIB), Goal(1.0, BEST_C))
STOR_MANY = (Goal(2.0, PYFTPDLIB), Goal(1.0, BEST_C))
SMALL = (Goal(1.5, PYFTPDLIB),)
LISTS = (Goal(0.5, PYFTPDLIB),)
LEVEL = (Goal(1.0, PYFTPDLIB),)
FIRST = (Goal(6.0, ""),)
STALL = (Goal(20.0, ""),)
TLS_ONE = (Goal(1.35, PYFTPDLIB), Goal(1.0, BEST_C))
TLS_MANY = (Goal(1.6, CORES),)
TLS_SMALL = (Goal(1.3, PYFTPDLIB), Goal(1.0, BEST_C))
TLS: Any = {"profile": Profile.TLS}
SIMPLE: Any = {"profile": Profile.SIMPLE}
DIVIDED_RETR = (Goal(1.8, OURS, OURS_WORKERS), Goal(1.3, BEST_PYFTPDLIB, OURS_WORKERS))
DIVIDED_STOR = (Goal(1.8, OURS, OURS_WORKERS), Goal(1.0, BEST_PYFTPDLIB, OURS_WORKERS))
DIVIDED_TLS = (Goal(1.0, BEST_C, OURS_WORKERS),)
DIVIDED_LOGINS = (Goal(1.0, BEST_PYFTPDLIB, OURS_WORKERS),)
DIVIDED_BULK = (Goal(0.95, OURS, OURS_WORKERS),)
"""No worse than one process; about 5 % are chance."""
DIVIDED_NOOP = (Goal(0.4, "", OURS_WORKERS),)
FORKING = ("pyftpdlib-processes", "vsftpd", "proftpd", "pure-ftpd")
SIMPLE_SMALL = (Goal(3.0, PYFTPDLIB), Goal(1.0, BEST_C))

R, F, L, M = Measure.RATE, Measure.FILES, Measure.LOGINS, Measure.MEDIAN
JOBS = (
    Job("retr1", "RETR 1 GiB, one client", R, "retr", size=GIB, goals=RETR_ONE + DIVIDED_BULK),
    Job("stor256m", "STOR 256 MiB, one client", R, "stor", size=256 * MIB, goals=STOR_ONE),
    Job("stor1", "STOR 1 GiB, one client", R, "stor", size=GIB, goals=STOR_ONE + DIVIDED_BULK),
    Job("retr10", "RETR 10 x 128 MiB", R, "retr", 10, size=128 * MIB,
        goals=RETR_MANY + DIVIDED_BULK),
    Job("retr100", "RETR 100 x 10 MiB", R, "retr", 100, size=10 * MIB,
        goals=RETR_MANY + DIVIDED_BULK),
    Job("stor10", "STOR 10 x 128 MiB", R, "stor", 10, size=128 * MIB,
        goals=STOR_MANY + DIVIDED_BULK),
    Job("stor100", "STOR 100 x 10 MiB", R, "stor", 100, size=10 * MIB,
        goals=STOR_MANY + DIVIDED_BULK),
    Job("small-retr1", "RETR 4 KiB, one session", F, "retr", 1, 2000, 4 * KIB, 100, goals=SMALL),
    Job("small-retr10", "RETR 4 KiB, ten", F, "retr", 10, 400, 4 * KIB, 100,
        goals=SMALL + DIVIDED_RETR),
    Job("small-stor1", "STOR 4 KiB, one session", F, "stor", 1, 2000, 4 * KIB, goals=SMALL),
    Job("small-stor10", "STOR 4 KiB, ten", F, "stor", 10, 400, 4 * KIB, goals=SMALL + DIVIDED_STOR),
    Job("small-durable1", "STOR 4 KiB, one session, durable", F, "stor", 1, 2000, 4 * KIB,
        profile=Profile.DURABLE),
    Job("login1", "logins, one after the other", L, "login", 1, 300, goals=LEVEL),
    Job("login50", "logins, 50 at a time", L, "login", 50, 20, goals=LEVEL + DIVIDED_LOGINS),
    Job("list", "LIST of 10,000 entries", M, "LIST", 1, 5, entries=10_000, goals=LISTS),
    Job("list-first", "LIST, first byte", Measure.FIRST, "LIST", 1, 5, entries=10_000, goals=FIRST),
    Job("mlsd", "MLSD of 10,000 entries", M, "MLSD", 1, 5, entries=10_000, **MLSD, goals=LISTS),
    Job("mlsd-first", "MLSD, first byte", Measure.FIRST, "MLSD", 1, 5, entries=10_000, **MLSD,
        goals=FIRST),
    Job("noop", "NOOP while ten pull", Measure.TAIL, "noop", 11, 2000, 128 * MIB,
        goals=LEVEL + DIVIDED_NOOP),
    Job("tls-retr1", "TLS: RETR 1 GiB, one client", R, "retr", size=GIB, **TLS,
        goals=TLS_ONE + DIVIDED_BULK),
    Job("tls-stor1", "TLS: STOR 1 GiB, one client", R, "stor", size=GIB, **TLS,
        goals=TLS_ONE + DIVIDED_BULK),
    Job("tls-retr10", "TLS: RETR 10 x 128 MiB", R, "retr", 10, size=128 * MIB, **TLS,
        goals=TLS_MANY + DIVIDED_TLS),
    Job("tls-stor10", "TLS: STOR 10 x 128 MiB", R, "stor", 10, size=128 * MIB, **TLS,
        goals=TLS_MANY + DIVIDED_TLS),
    Job("tls-small-retr1", "TLS: RETR 4 KiB, one session", F, "retr", 1, 2000, 4 * KIB, 100,
        **TLS, goals=TLS_SMALL),
    Job("tls-small-retr10", "TLS: RETR 4 KiB, ten", F, "retr", 10, 400, 4 * KIB, 100, **TLS,
        goals=TLS_SMALL + DIVIDED_TLS),
    Job("tls-small-stor1", "TLS: STOR 4 KiB, one session", F, "stor", 1, 2000, 4 * KIB, **TLS,
        goals=TLS_SMALL),
    Job("tls-small-stor10", "TLS: STOR 4 KiB, ten", F, "stor", 10, 400, 4 * KIB, **TLS,
        goals=TLS_SMALL + DIVIDED_TLS),
    Job("ascii-retr", "RETR TYPE A 64 MiB", R, "retr", size=64 * MIB, **TYPE_A, goals=LEVEL),
    Job("ascii-stor", "STOR TYPE A 64 MiB", R, "stor", size=64 * MIB, **TYPE_A, goals=LEVEL),
    Job("throttled-retr", "RETR 300 MiB at 100 MiB/s", R, "retr", size=300 * MIB,
        profile=Profile.THROTTLED, goals=LEVEL),
    Job("throttled-stor", "STOR 300 MiB at 100 MiB/s", R, "stor", size=300 * MIB,
        profile=Profile.THROTTLED, goals=LEVEL),
    Job("memory-stor", "STOR 64 MiB to memory (pyftpdlib: TYPE A)", R, "stor", size=64 * MIB,
        **GENERIC, goals=LEVEL),
    Job("memory-retr", "RETR 64 MiB from memory (pyftpdlib: TYPE A)", R, "retr", size=64 * MIB,
        **GENERIC, goals=LEVEL),
    Job("stall", "reactor stall under all jobs", Measure.STALL, "", profile=Profile.STALL,
        goals=STALL),
    Job("stall-slow-disk", "reactor stall, disk of 200 ms a call", Measure.STALL, "",
        profile=Profile.SLOW_DISK, goals=STALL),
    Job("tls-stall", "reactor stall, 100 TLS handshakes at once", Measure.STALL, "login", 100, 10,
        profile=Profile.TLS_STALL, goals=STALL),
    Job("simple-retr1", "simple protocol: DWLD 1 GiB, one client", R, "retr", size=GIB, **SIMPLE,
        goals=RETR_ONE),
    Job("simple-stor1", "simple protocol: UPLD 1 GiB, one client", R, "stor", size=GIB, **SIMPLE,
        goals=STOR_ONE),
    Job("simple-small-retr1", "simple protocol: DWLD 4 KiB, one session", F, "retr", 1, 8000,
        4 * KIB, 100, **SIMPLE, goals=SIMPLE_SMALL),
    Job("simple-small-stor1", "simple protocol: UPLD 4 KiB, one session", F, "stor", 1, 8000,
        4 * KIB, **SIMPLE, goals=SIMPLE_SMALL),
    Job("simple-small-retr10", "simple protocol: DWLD 4 KiB, ten", F, "retr", 10, 300, 4 * KIB, 100,
        **SIMPLE, goals=SIMPLE_SMALL),
    Job("simple-small-stor10", "simple protocol: UPLD 4 KiB, ten", F, "stor", 10, 300, 4 * KIB,
        **SIMPLE, goals=SIMPLE_SMALL),
    Job("idle", "idle sessions, 5,000 (a process each: 1,000)", Measure.MEMORY, "idle", 16, 313,
        profile=Profile.FRESH, goals=(Goal(5.0, ""),)),
    Job("idle20k", "idle sessions, 20,000", Measure.MEMORY, "idle", 16, 1250,
        profile=Profile.FRESH, without=FORKING, goals=(Goal(6.0, "", OURS_WORKERS),)),
)  # fmt: skip
