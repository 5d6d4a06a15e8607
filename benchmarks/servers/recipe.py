"""What it takes to start a server, as values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.jobs import Profile

__all__ = ["PASSWORD", "RATE", "USER", "Peer", "Place", "Start"]

USER = "bench"
PASSWORD = "bench"
RATE = 100 << 20
"""Bytes a second of the throttled profile."""


@dataclass(frozen=True)
class Place:
    """What a server is given."""

    port: int
    root: Path
    """The directory that its account sees as /."""
    work: Path
    """A directory of its own, for its configuration and its log."""
    password_hash: str
    """Of `PASSWORD`: argon2id at the least cost there is."""
    programs: Path
    """The directory with the compiled programs."""
    device: int | None
    """What the slow disk slows; None: it cannot."""
    certificate: Path | None = None
    """A file with a certificate and its key, in PEM, for TLS; None: it does without."""


@dataclass(frozen=True)
class Start:
    """How to start it, and as whom to log in."""

    command: tuple[str | Path, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str = USER
    meter: Path | None = None
    """Where its stall meter writes, on SIGUSR1."""
    simple: bool = False
    """Whether it speaks the simple protocol on its port, not FTP."""


@dataclass(frozen=True)
class Peer:
    """A kind of server; ``recipe`` returns None for a profile that it does not have."""

    name: str
    version: str
    recipe: Callable[[Profile, Place], Start | None]
    in_c: bool = False
    most_sessions: int = 5008
    """Idle sessions to measure with: fewer where each is a process."""
    without_tls: str = ""
    """Why it cannot do TLS, if it cannot; its recipe is not asked for that then."""
