"""Going on behind bytes that are there: what comes is compared with their end before it is kept.

A server may accept REST and begin at the beginning all the same, or have another file by now.
"""

from __future__ import annotations

from ftpservice.flow.splice import Exclusively
from ftpservice_client.session import WrongStart
from ftpservice_client.target import Target

__all__ = ["Overlapping"]


class Overlapping(Target):
    """Drops ``skip`` bytes, compares the next ones with ``expected``, and passes on the others."""

    def __init__(self, target: Target, expected: bytes, skip: int) -> None:
        self._target = target
        self._expected = expected
        self._skip = skip

    @property
    def wants_more(self) -> bool:
        """Whether something is still to be dropped or compared."""
        return bool(self._skip or self._expected)

    @property
    def written(self) -> int:  # type: ignore[override]  # it is what the target has
        """Bytes that are there."""
        return self._target.written

    @property
    def exclusively(self) -> Exclusively | None:
        """Let threads receive once nothing is to be dropped; what is compared comes before."""
        return None if self._skip else self._target.exclusively

    async def write(self, data: bytes) -> None:
        """Take a piece; raises `WrongStart`."""
        skip = min(self._skip, len(data))
        self._skip -= skip
        end = skip + len(self._expected)
        if not self._expected.startswith(data[skip:end]):
            raise WrongStart("what the server sends does not continue what is here")
        self._expected = self._expected[len(data[skip:end]) :]
        if len(data) > end:
            await self._target.write(data[end:])

    async def shorten(self, size: int) -> None:
        """Forget what is there beyond ``size`` bytes."""
        await self._target.shorten(size)
