"""What the clients know about the service; JSON between the processes of a run."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

__all__ = ["LARGE_FILE", "MANY_DIRECTORY", "PASSWORD", "ClientSettings", "Times"]

PASSWORD = "soak"
LARGE_FILE = "large.bin"
"""In the root of every account."""
MANY_DIRECTORY = "many"
"""A large directory in the root of every account."""


@dataclass(frozen=True)
class Times:
    """The timeouts of the service in real seconds."""

    login: float = 4.0
    idle: float = 8.0
    data: float = 4.0
    stall: float = 5.0


@dataclass(frozen=True)
class ClientSettings:
    """Ports, directories and accounts of a run."""

    ports: dict[str, int]
    """By the name of the setting: listen, implicit, simple, simple-tls."""
    root: str
    """The directory that the service serves; account ``x`` sees its directory ``x``."""
    scratch: str
    accounts: tuple[str, ...]
    expiring: tuple[str, ...]
    """Accounts whose files the service deletes after a time."""
    entries: int
    """Number of files in the large directory."""
    large_size: int
    seed: int
    first_slot: int
    slots: int
    times: Times
    only: str = "*"
    """Pattern for the names of sessions."""

    def write(self, path: Path) -> None:
        """Write it as JSON."""
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> ClientSettings:
        """Read what `write` wrote."""
        found = json.loads(path.read_text(encoding="utf-8"))
        for name in ("accounts", "expiring"):
            found[name] = tuple(found[name])
        return cls(**found | {"times": Times(**found["times"])})
