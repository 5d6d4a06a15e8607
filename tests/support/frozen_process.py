"""Stops a process by SIGSTOP, and waits until it has stopped."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

__all__ = ["freeze"]

LONGEST = 30.0
POLL_SECONDS = 0.001


def freeze(pid: int) -> None:
    """Stop a process with all its threads; on a busy machine one may go on for a moment.

    Raises `ProcessLookupError` if it has ended.
    """
    os.kill(pid, signal.SIGSTOP)
    deadline = time.monotonic() + LONGEST
    while not all(state in "TtZX" for state in _states(pid)):
        assert time.monotonic() < deadline, f"process {pid} does not stop"
        time.sleep(POLL_SECONDS)


def _states(pid: int) -> list[str]:
    """Return the states of the threads of a process (proc(5)) that have not ended."""
    states = []
    with suppress(FileNotFoundError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(FileNotFoundError, ProcessLookupError):
                text = (task / "stat").read_text()
                states.append(text.rpartition(")")[2].split()[0])
    return states
