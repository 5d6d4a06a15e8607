"""The process that an upload runs in, which others on the machine see end, even if it is killed."""

from __future__ import annotations

import os
from pathlib import Path

from ftpservice.linux import process_started_at

__all__ = ["has_ended", "process_mark"]

BOOT_ID_PATH = Path("/proc/sys/kernel/random/boot_id")


def process_mark() -> str:
    """Return what tells this process from all others; empty if that is not known."""
    process = os.getpid()
    place, started = _place(), process_started_at(process)
    return f"{place}:{process}:{started}" if place and started is not None else ""


def has_ended(mark: str) -> bool:
    """Return whether the process of a mark is known to have ended.

    Of those on other machines, and in other containers, that is not known.
    """
    place, _, rest = mark.partition(":")
    if not place or place != _place():
        return False
    process, _, started = rest.partition(":")
    if not (process.isdecimal() and started.isdecimal()):
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    there = process_started_at(int(process))
    return there is not None and there != int(started)


def _place() -> str:
    """Return what all processes have in common that see each other; empty if it is not known."""
    try:
        boot = BOOT_ID_PATH.read_text("ascii").strip()
        return f"{boot}.{os.stat('/proc/self/ns/pid').st_ino}"
    except (OSError, ValueError):
        return ""
