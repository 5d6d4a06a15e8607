"""The file of the bans in force, which keeps them over a restart. Both functions block."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from ftpservice.accounts.defence.bans import Ban
from ftpservice.linux import read_regular_file
from ftpservice.state_files.file_replacement import replace_file

__all__ = ["load_bans", "save_bans"]

MAX_FILE_BYTES = 16 * 1024 * 1024


def load_bans(path: Path) -> list[Ban]:
    """Read the bans; none without a file. Raises `OSError`, and `ValueError` for another file."""
    try:
        content = read_regular_file(path, MAX_FILE_BYTES)
    except FileNotFoundError:
        return []
    try:
        return [_ban(row) for row in json.loads(content)]
    except (LookupError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise ValueError(f"it is not a file of bans ({error})") from None


def save_bans(path: Path, bans: Sequence[Ban]) -> None:
    """Replace the file atomically; raises `OSError`."""
    rows = [
        {
            "network": str(ban.network),
            "reason": ban.reason,
            "since": ban.since,
            "until": None if ban.until == math.inf else ban.until,
            "times": ban.times,
        }
        for ban in bans
    ]
    replace_file(path, json.dumps(rows).encode())


def _ban(row: dict[str, Any]) -> Ban:
    until = math.inf if row["until"] is None else float(row["until"])
    network = ip_network(str(row["network"]))
    return Ban(network, str(row["reason"]), float(row["since"]), until, int(row["times"]))
