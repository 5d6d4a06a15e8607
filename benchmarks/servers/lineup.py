"""All servers by name, ours first."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from benchmarks.servers.daemons import proftpd, pure_ftpd, vsftpd
from benchmarks.servers.in_python import ours, ours_gated, ours_watched, pyftpdlib, twisted_ftp
from benchmarks.servers.recipe import Peer

__all__ = ["IN_C", "NAMES", "OURS", "OURS_ALL", "available"]

OURS = "ours"
OURS_ALL = (OURS, "ours-watched", "ours-gated")
KINDS: dict[str, Callable[[str], Peer | None]] = {
    OURS: ours,
    "ours-watched": ours_watched,
    "ours-gated": ours_gated,
    "pyftpdlib": pyftpdlib,
    "pyftpdlib-copy": pyftpdlib,
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
