"""Mounts the filesystem in user space of `fuse_server` for a test."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.run_watcher import end_with_run, unmount_with_run

__all__ = ["OPTIONAL", "loopback_process", "mounted_loopback"]

OPTIONAL = (
    *("chmod", "chown", "utimens", "link", "flock", "fallocate", "fsync", "fsyncdir"),
    *("setxattr", "getxattr", "listxattr", "removexattr", "statfs", "rename_directory"),
)
"""Calls that some filesystems lack; renaming directories counts as a call of its own."""
PATIENCE = 30.0
SERVER = "tests.support.fuse_server"


@contextmanager
def mounted_loopback(folder: Path) -> Iterator[Path]:
    """Mount the filesystem below ``folder``; yields the mount point and unmounts it."""
    with loopback_process(folder) as (mountpoint, _pid):
        yield mountpoint


@contextmanager
def loopback_process(folder: Path) -> Iterator[tuple[Path, int]]:
    """Mount the filesystem; yields the mount point and the process that serves it."""
    source, mountpoint = folder / "source", folder / "mounted"
    source.mkdir()
    mountpoint.mkdir()
    words = [sys.executable, "-m", SERVER, str(source), str(mountpoint)]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    end_with_run(process, signal.SIGTERM)
    for place in (source, mountpoint):  # the server mounts both
        unmount_with_run(place)
    try:
        _wait_for(mountpoint, process)
        yield mountpoint, process.pid
    finally:
        process.send_signal(signal.SIGCONT)
        subprocess.run(["umount", "--lazy", str(mountpoint)], check=False)
        process.terminate()  # lazy: something may still be open
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
        process.communicate()


def _wait_for(mountpoint: Path, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not os.path.ismount(mountpoint):
        if process.poll() is not None:
            raise AssertionError(process.communicate()[1])
        assert time.monotonic() < deadline, "the filesystem is not mounted"
        time.sleep(0.01)
