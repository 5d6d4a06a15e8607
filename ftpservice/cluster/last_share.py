"""How many nodes a cluster had last, kept over a restart for when its database is away (blocks)."""

from __future__ import annotations

import json
from pathlib import Path

from ftpservice.cluster.place_leases import ShareRule
from ftpservice.linux import read_regular_file
from ftpservice.state_files.file_replacement import replace_file

__all__ = ["SHARE_FILE", "load_share", "save_share"]

SHARE_FILE = "cluster.json"
"""In the data directory."""
MAX_FILE_BYTES = 4096


def load_share(path: Path) -> ShareRule:
    """Return what was kept; a file that cannot be used is as good as none: one node."""
    try:
        facts = json.loads(read_regular_file(path, MAX_FILE_BYTES))
        nodes, rank = int(facts["nodes"]), int(facts["rank"])
    except (OSError, ValueError, TypeError, LookupError, RecursionError):
        return ShareRule()
    return ShareRule(nodes, rank) if 0 <= rank < nodes else ShareRule()


def save_share(path: Path, rule: ShareRule) -> None:
    """Replace the file; raises `OSError`."""
    content = json.dumps({"nodes": rule.nodes, "rank": rule.rank}).encode()
    replace_file(path, content, is_durable=False)
