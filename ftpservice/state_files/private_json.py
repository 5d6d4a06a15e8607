"""A JSON file that only its owner can read, changed by several processes one after another.

All functions block.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ftpservice.state_files.file_replacement import replace_file

__all__ = ["PrivateJSON"]

FILE_MODE = 0o600


class PrivateJSON:
    """The file at ``path``, which need not exist; it has one JSON object."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> dict[str, Any]:
        """Return the object, an empty one without a file; raises `OSError` and `ValueError`."""
        try:
            content = json.loads(self.path.read_bytes())
        except FileNotFoundError:
            return {}
        if not isinstance(content, dict):
            raise ValueError("no JSON object")
        return content

    def version(self) -> tuple[int, ...]:
        """Return what differs after a change of the file; empty without a file."""
        try:
            found = os.stat(self.path)
        except OSError:
            return ()
        return found.st_ino, found.st_mtime_ns, found.st_size

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock of the file; raises `OSError`."""
        with open(self.path.with_suffix(".lock"), "a", opener=_private) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def write(self, content: Mapping[str, Any]) -> None:
        """Replace the file, under the lock; raises `OSError`."""
        replace_file(self.path, f"{json.dumps(content, indent=1)}\n".encode())


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, FILE_MODE)
