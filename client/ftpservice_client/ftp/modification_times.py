"""Sets the modification time of a file on the server: MFMT, MDTM with a time, SITE UTIME."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ftpservice.wire.times import format_time
from ftpservice_client.arguments import checked_argument
from ftpservice_client.ftp.control import ControlConnection
from ftpservice_client.ftp.features import Features
from ftpservice_client.ftp.reply_errors import NOT_IMPLEMENTED_CODES

__all__ = ["ModificationTimeSetter"]

MFMT, MDTM, UTIME = "MFMT", "MDTM", "SITE UTIME"
MAX_REFUSED = 3
"""Refusals in a row after which a command is not tried any more."""


class ModificationTimeSetter:
    """Sets times over one session; ``modified`` returns the time of a file, for a check."""

    def __init__(
        self,
        control: ControlConnection,
        features: Features,
        modified: Callable[[str], Awaitable[float | None]],
    ) -> None:
        self._control = control
        self._modified = modified
        self._commands = [MFMT] if MFMT in features else [MDTM]
        if "UTIME" in features.get("SITE", "").upper():
            self._commands.append(UTIME)
        self._is_proven = MFMT in features
        self._refused = 0

    async def set(self, name: str, seconds: float) -> bool:
        """Set the time of a file; return whether the server has set it.

        MDTM with a time before the name and SITE UTIME are not standardized, so the time of the
        first file is checked afterwards.
        """
        checked_argument(name)
        await self._control.drain_abandoned()
        while self._commands:
            reply = await self._control.ask(f"{self._commands[0]} {format_time(seconds)} {name}")
            if reply.code < 400 and (self._is_proven or await self._is_set(name, seconds)):
                self._is_proven, self._refused = True, 0
                return True
            self._refused += 1
            is_useless = reply.code in NOT_IMPLEMENTED_CODES or not self._is_proven
            if not is_useless and self._refused < MAX_REFUSED:
                return False
            self._commands.pop(0)
            self._is_proven, self._refused = False, 0
        return False

    async def _is_set(self, name: str, seconds: float) -> bool:
        found = await self._modified(name)
        return found is not None and found == seconds // 1
