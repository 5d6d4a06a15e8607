"""The bytes of an upload that gates read before it is published."""

from __future__ import annotations

from zope.interface import implementer

from ftpservice.backends.s3.tree.part_buffer import PartBuffer
from ftpservice.backends.s3.tree.served_bucket import BucketView
from ftpservice.storage.gates import IHeldFile
from ftpservice.wire.paths import VirtualPath

__all__ = ["HeldBytes"]


@implementer(IHeldFile)
class HeldBytes:
    """What is in ``buffer``."""

    def __init__(self, view: BucketView, path: VirtualPath, buffer: PartBuffer) -> None:
        self.size = buffer.size
        self._view = view
        self._path = path
        self._buffer = buffer

    async def read(self, offset: int, size: int) -> bytes:
        """Return bytes."""
        wanted = max(0, min(size, self.size - offset))
        return await self._view.in_thread(self._path, self._buffer.read, offset, wanted)

    def descriptor(self) -> None:
        """Return None: some of it is in memory."""

    def close(self) -> None:
        """Do nothing."""
