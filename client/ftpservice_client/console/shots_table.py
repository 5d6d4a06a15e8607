"""All single commands in one table."""

from __future__ import annotations

from ftpservice_client.console import shots_names, shots_transfers
from ftpservice_client.console.shots import ShotTable

__all__ = ["SHOTS"]

SHOTS = ShotTable().include(shots_transfers.shots, shots_names.shots)
