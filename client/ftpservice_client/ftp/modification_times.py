"""Setting the modification time of a file on the server, by whatever command it has for that."""

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
"""Files in a row of which a server may refuse to set the time before it is asked no more."""


class ModificationTimeSetter:
    """Sets times over one session; ``modified`` asks for one, to see that it was set."""

    def __init__(
        self,
        control: ControlConnection,
        features: Features,
        modified: Callable[[str], Awaitable[float | None]],
    ) -> None:
        self._control = control
        self._modified = modified
        self._ways = [MFMT] if MFMT in features else [MDTM]
        if "UTIME" in features.get("SITE", "").upper():
            self._ways.append(UTIME)
        self._is_proven = MFMT in features
        self._refused = 0

    async def set(self, name: str, seconds: float) -> bool:
        """Set the time of a file; tell whether the server has done it.

        MDTM with a time before the name (and SITE UTIME) are no standard, so it is looked whether
        the first file has the time afterwards.
        """
        checked_argument(name)
        await self._control.settle()
        while self._ways:
            reply = await self._control.ask(f"{self._ways[0]} {format_time(seconds)} {name}")
            if reply.code < 400 and (self._is_proven or await self._is_set(name, seconds)):
                self._is_proven, self._refused = True, 0
                return True
            self._refused += 1
            is_useless = reply.code in NOT_IMPLEMENTED_CODES or not self._is_proven
            if not is_useless and self._refused < MAX_REFUSED:
                return False
            self._ways.pop(0)
            self._is_proven, self._refused = False, 0
        return False

    async def _is_set(self, name: str, seconds: float) -> bool:
        found = await self._modified(name)
        return found is not None and found == seconds // 1
