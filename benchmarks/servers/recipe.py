"""Values that describe how a server is started."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.jobs import Profile

__all__ = ["PASSWORD", "RATE", "USER", "WORKERS", "Peer", "Place", "Start"]

USER = "bench"
PASSWORD = "bench"
RATE = 100 << 20
"""Bytes per second of the throttled profile."""
WORKERS = 2
"""Processes of the servers that divide their sessions among some."""


@dataclass(frozen=True)
class Place:
    """The port and the directories of a server."""

    port: int
    root: Path
    """The directory that its account sees as /."""
    work: Path
    """A directory of its own, for its configuration and its log."""
    password_hash: str
    """The argon2id hash of `PASSWORD`, at the lowest cost."""
    programs: Path
    """The directory with the compiled programs."""
    device: int | None
    """The device that the slow disk affects; None: there is none."""
    certificate: Path | None = None
    """A file with a certificate and its key in PEM; None: no TLS."""


@dataclass(frozen=True)
class Start:
    """The command of a server, and the user to log in."""

    command: tuple[str | Path, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str = USER
    meter: Path | None = None
    """The file to which its stall meter writes on SIGUSR1."""
    simple: bool = False
    """Whether the port serves the simple protocol instead of FTP."""


@dataclass(frozen=True)
class Peer:
    """A kind of server; ``recipe`` returns None for a profile that it does not support."""

    name: str
    version: str
    recipe: Callable[[Profile, Place], Start | None]
    in_c: bool = False
    most_sessions: int = 20_000
    """Number of idle sessions to measure: fewer if each is a process."""
    without_tls: str = ""
    """Why it is not measured with TLS; empty if it is."""
