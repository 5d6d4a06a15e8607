"""All single commands in one table."""

from __future__ import annotations

from ftpservice_client.console.oneshot import names, transfers
from ftpservice_client.console.oneshot.command_table import OneShotTable

__all__ = ["ONE_SHOT_COMMANDS"]

ONE_SHOT_COMMANDS = OneShotTable().include(transfers.commands, names.commands)
