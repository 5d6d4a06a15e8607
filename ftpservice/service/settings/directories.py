"""Creates the directories of the service (the data directory)."""

from __future__ import annotations

import os
from collections.abc import Iterable

from ftpservice.service.settings.errors import CannotStart, error_text

__all__ = ["Owner", "make_directories"]

Owner = tuple[int, int]
"""User and group ids as for `os.chown`: -1 leaves one unchanged."""


def make_directories(paths: Iterable[str], owner: Owner = (-1, -1)) -> None:
    """Create those that are missing, with mode 0700; raises `CannotStart`."""
    for path in paths:
        try:
            _make(path, owner)
        except OSError as error:
            raise CannotStart(
                f"cannot create the directory {path}: {error_text(error)} - "
                "create it or choose another --data-dir"
            ) from None
        if not os.path.isdir(path) or not os.access(path, os.W_OK | os.X_OK):
            raise CannotStart(
                f"cannot write to {path} - make it a writable directory, or choose "
                "another --data-dir"
            )


def _make(path: str, owner: Owner) -> None:
    if os.path.lexists(path):
        return
    os.mkdir(path, 0o700)
    if owner != (-1, -1):
        os.chown(path, *owner)
