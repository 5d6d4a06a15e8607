"""What a node keeps over a restart: how many nodes there were, and its run (blocks)."""

from __future__ import annotations

import json
import os
from pathlib import Path

from ftpservice.cluster.place_leases import ShareRule
from ftpservice.linux import process_started_at, read_regular_file
from ftpservice.state_files.file_replacement import replace_file

__all__ = ["NEVER_JOINED_TEXT", "SHARE_FILE", "ended_run", "load_share", "save_share"]

SHARE_FILE = "cluster.json"
"""In the data directory."""
MAX_FILE_BYTES = 4096
NEVER_JOINED_TEXT = "a node that has never been in its cluster does not start without the database"


def load_share(path: Path) -> ShareRule | None:
    """Return what was kept; None without a file that can be used: the node has not joined yet."""
    try:
        facts = json.loads(read_regular_file(path, MAX_FILE_BYTES))
        nodes, rank = int(facts["nodes"]), int(facts["rank"])
    except (OSError, ValueError, TypeError, LookupError, RecursionError):
        return None
    return ShareRule(nodes, rank) if 0 <= rank < nodes else None


def save_share(path: Path, rule: ShareRule, run: str = "") -> None:
    """Replace the file; raises `OSError`. ``run`` is that of this process in the cluster."""
    process = os.getpid()
    facts = {"run": run, "process": process, "started": process_started_at(process)}
    content = json.dumps({"nodes": rule.nodes, "rank": rule.rank} | facts).encode()
    replace_file(path, content, is_durable=False)


def ended_run(path: Path) -> str | None:
    """Return the run of the process that was this node before, if it has ended."""
    try:
        facts = json.loads(read_regular_file(path, MAX_FILE_BYTES))
        run, process, started = str(facts["run"]), int(facts["process"]), facts["started"]
    except (OSError, ValueError, TypeError, LookupError, RecursionError):
        return None
    return run if run and process_started_at(process) != started else None
