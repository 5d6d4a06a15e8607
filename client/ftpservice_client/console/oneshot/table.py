"""All single commands in one table."""

from __future__ import annotations

from ftpservice_client.console.oneshot import names, transfers
from ftpservice_client.console.oneshot.command_table import ShotTable

__all__ = ["SHOTS"]

SHOTS = ShotTable().include(transfers.shots, names.shots)
