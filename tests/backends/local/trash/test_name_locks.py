"""Locks of names between processes."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ftpservice.backends.local.paths.tree import DirectoryEntry
from ftpservice.backends.local.trash import name_locks
from ftpservice.backends.local.trash.name_locks import locked
from ftpservice.storage.errors import Busy
from ftpservice.wire.paths import VirtualPath

PATH = VirtualPath.parse("/file")


@contextmanager
def place_in(folder: Path) -> Iterator[DirectoryEntry]:
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield DirectoryEntry(opened, b"file")
    finally:
        os.close(opened)


def test_a_directory_that_another_process_holds_for_too_long_is_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(name_locks, "LOCK_SECONDS", 0.0)
    with place_in(tmp_path) as place:
        other = os.open(tmp_path, os.O_RDONLY)
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(Busy), locked(place, PATH):
            pass
        os.close(other)
        with locked(place, PATH):
            pass


def test_a_filesystem_without_locks_is_used_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_descriptor: int, _how: int) -> None:
        raise OSError(9, "bad file descriptor")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with place_in(tmp_path) as place, locked(place, PATH):
        assert place.facts() is None
