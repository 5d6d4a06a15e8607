"""Steps that every way of writing to the disk takes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from ftpservice.flow.calls import CANNOT
from ftpservice.storage.errors import BadOffset
from ftpservice.storage.interfaces import WriteRequest
from ftpservice.wire.paths import VirtualPath

__all__ = ["check_announced", "if_possible", "sync_directory", "sync_file", "write_all"]


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


@contextmanager
def if_possible() -> Iterator[None]:
    """Do without a step that the kernel or the filesystem lacks; other failures are raised."""
    try:
        yield
    except OSError as error:
        if error.errno not in CANNOT:
            raise


def sync_file(opened: int) -> None:
    """Have the bytes of a file survive a power cut, where the filesystem can promise that."""
    with if_possible():
        os.fsync(opened)


def sync_directory(directory: int) -> None:
    """Have the names in an open directory survive a power cut."""
    try:
        opened = os.open(b".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=directory)
    except PermissionError:  # it can be written to, but not read
        return os.sync()
    try:
        sync_file(opened)
    finally:
        os.close(opened)
