"""All servers by name, ours first."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from benchmarks.servers.daemons import proftpd, pure_ftpd, vsftpd
from benchmarks.servers.in_python import (
    ours,
    ours_gated,
    ours_watched,
    ours_workers,
    pyftpdlib,
    twisted_ftp,
)
from benchmarks.servers.recipe import Peer

__all__ = ["IN_C", "NAMES", "OURS", "OURS_ALL", "OURS_WORKERS", "PYFTPDLIB_ALL", "available"]

OURS, OURS_WORKERS = "ours", "ours-workers"
OURS_ALL = (OURS, OURS_WORKERS, "ours-watched", "ours-gated")
PYFTPDLIB_ALL = ("pyftpdlib", "pyftpdlib-copy", "pyftpdlib-prefork", "pyftpdlib-processes")
KINDS: dict[str, Callable[[str], Peer | None]] = {
    OURS: ours,
    OURS_WORKERS: ours_workers,
    "ours-watched": ours_watched,
    "ours-gated": ours_gated,
    "pyftpdlib": pyftpdlib,
    "pyftpdlib-copy": pyftpdlib,
    "pyftpdlib-prefork": pyftpdlib,
    "pyftpdlib-processes": pyftpdlib,
    "twisted": twisted_ftp,
    "vsftpd": vsftpd,
    "proftpd": proftpd,
    "pure-ftpd": pure_ftpd,
}
NAMES = tuple(KINDS)
IN_C = ("vsftpd", "proftpd", "pure-ftpd")


def available(names: Sequence[str]) -> list[Peer]:
    """Return the named servers that are installed; print which are not."""
    found = {name: KINDS[name](name) for name in names}
    missing = [name for name, peer in found.items() if peer is None]
    if missing:
        hint = "benchmarks/install-peers installs them; vsftpd and pure-ftpd need root"
        print(f"not installed: {', '.join(missing)} ({hint})", file=sys.stderr)
    return [peer for peer in found.values() if peer is not None]
