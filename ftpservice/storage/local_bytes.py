"""Steps that every way of writing to the disk takes."""

from __future__ import annotations

import os

from ftpservice.storage.errors import BadOffset
from ftpservice.storage.interfaces import WriteRequest
from ftpservice.wire.paths import VirtualPath

__all__ = ["check_announced", "sync_directory", "write_all"]


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of ``data``; the kernel may take less than that at a time."""
    with memoryview(data) as rest:
        written = 0
        while written < len(rest):
            written += os.write(descriptor, rest[written:])


def check_announced(request: WriteRequest, arrived: int, path: VirtualPath) -> None:
    """Raise `BadOffset` if another number of bytes was announced."""
    if request.announced is not None and arrived != request.announced:
        raise BadOffset(path, f"{arrived} bytes came where {request.announced} were announced")


def sync_directory(directory: int) -> None:
    """Have the names in an open directory survive a power cut."""
    opened = os.open(b".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=directory)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
