"""A file being uploaded, opened once more for those who check it before it is published."""

from __future__ import annotations

import os

from zope.interface import implementer

from ftpservice.concurrency.thread_pool import BlockingRunner, run_unattended
from ftpservice.storage.blocking_calls import in_pool
from ftpservice.storage.errors import Unavailable
from ftpservice.storage.gates import IHeldFile
from ftpservice.wire.paths import VirtualPath

__all__ = ["LocalHeldFile", "reopened"]

READ_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK


def reopened(descriptor: int) -> int:
    """Open the file of a descriptor once more, for reading; with a position of its own."""
    return os.open(f"/proc/self/fd/{descriptor}", READ_FLAGS)


@implementer(IHeldFile)
class LocalHeldFile:
    """The file of ``descriptor``, which it owns."""

    def __init__(self, runner: BlockingRunner, path: VirtualPath, descriptor: int) -> None:
        self.size = os.fstat(descriptor).st_size
        self._runner = runner
        self._path = path
        self._descriptor = descriptor

    async def read(self, offset: int, size: int) -> bytes:
        """Return bytes."""
        return await in_pool(self._runner, self._path, os.pread, self.descriptor(), size, offset)

    def descriptor(self) -> int:
        """Return the descriptor; raises `Unavailable` after `close`."""
        if self._descriptor < 0:
            raise Unavailable(self._path, "the upload is no longer held")
        return self._descriptor

    def close(self) -> None:
        """Close the file, after what the pool has begun."""
        run_unattended(self._runner, self.close_in_thread)

    def close_in_thread(self) -> None:
        """Close the file, once."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)
