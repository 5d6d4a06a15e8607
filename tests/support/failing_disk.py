"""Full disks and failing system calls."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

__all__ = ["FailingCalls", "mounted", "remount", "used"]


@contextmanager
def mounted(folder: Path, size: int, inodes: int = 0) -> Iterator[bool]:
    """Mount a tmpfs of ``size`` bytes at ``folder``; yields whether that worked.

    ``inodes`` is how many files and directories it can have; 0: any number.
    """
    options = f"size={size}" + (f",nr_inodes={inodes}" if inodes else "")
    words = ["mount", "-t", "tmpfs", "-o", options, "none", str(folder)]
    folder.mkdir(exist_ok=True)
    done = os.geteuid() == 0 and subprocess.run(words, capture_output=True).returncode == 0
    try:
        yield done
    finally:
        if done:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


def remount(folder: Path, option: str) -> None:
    """Make the filesystem read-only (``ro``) or writable (``rw``)."""
    subprocess.run(["mount", "-o", f"remount,{option}", str(folder)], check=True)


def used(folder: Path) -> int:
    """Return the used bytes of the filesystem of ``folder``."""
    facts = os.statvfs(folder)
    return (facts.f_blocks - facts.f_bfree) * facts.f_frsize


class FailingCalls:
    """Makes a function of ``os`` fail for files in ``folder``, from some call on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self._patch = monkeypatch
        self._folder = f"{folder}/"
        self.number = 0
        """The errno; 0 stops the failures."""
        self.calls = 0

    def break_down(self, function: str, number: int, after: int = 0) -> None:
        """Fail with errno ``number`` after ``after`` calls that work."""
        real = getattr(os, function)
        self.number = number

        def failing(*words: Any, **more: Any) -> Any:
            if self.number and self._applies_to(function, words, more):
                self.calls += 1
                if self.calls > after:
                    raise OSError(self.number, os.strerror(self.number))
            return real(*words, **more)

        self._patch.setattr(os, function, failing)

    def _applies_to(self, function: str, words: tuple[Any, ...], more: dict[str, int]) -> bool:
        if function == "rename":
            return self._is_in_folder(more["src_dir_fd"])
        if function == "open":
            return bool(words[1] & os.O_CREAT) and self._is_in_folder(more.get("dir_fd", -1))
        return self._is_in_folder(words[1] if function == "splice" else words[0])

    def _is_in_folder(self, descriptor: int) -> bool:
        try:
            return (os.readlink(f"/proc/self/fd/{descriptor}") + "/").startswith(self._folder)
        except OSError as error:
            assert error.errno == errno.ENOENT
            return False
