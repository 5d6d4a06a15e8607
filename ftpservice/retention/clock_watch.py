"""Whether the clock of the machine can be trusted: a clock set years ahead makes every file old.

The time of day is compared with the time since the machine was started, which cannot be set. After
a jump, and after a time in which nobody has looked, the clock counts as steady only when it has
been watched for `STEADY_SECONDS`: time for a person, or a time server, to set it right.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from ftpservice.linux import read_regular_file
from ftpservice.state_files.file_replacement import replace_file

__all__ = [
    "STEADY_SECONDS",
    "ClockState",
    "ClockWatch",
    "load_state",
    "save_state",
    "seconds_since_boot",
]

STEADY_SECONDS = 86_400.0
MAX_JUMP_SECONDS = 3600.0
"""The shortest retention: a smaller jump cannot make a new file old."""
MAX_UNWATCHED_SECONDS = 86_400.0
"""A restart of the service may take so long; one of the machine, after which a jump is not seen,
`MAX_JUMP_SECONDS`."""
MAX_FILE_BYTES = 4096
BOOT_ID_PATH = Path("/proc/sys/kernel/random/boot_id")
"""What identifies the time since the machine was started (random(4))."""


def seconds_since_boot() -> float:
    """Return the time since the start of the machine, with the time that it was suspended."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


def current_boot() -> str:
    """Return what identifies the time since the start of the machine; empty if that is unknown."""
    with suppress(OSError):
        return BOOT_ID_PATH.read_text().strip()
    return ""


@dataclass(frozen=True)
class ClockState:
    """What is kept over a restart."""

    looked_at: float
    """The time of the last look, in seconds since the epoch."""
    steady_since: float
    booted_at: float = 0.0
    """When the machine was started, by the clock of the last look."""
    boot: str = ""
    """See `current_boot`."""


def load_state(path: Path) -> ClockState | None:
    """Read a state; None without a file. Raises `OSError`, and `ValueError` for another file."""
    try:
        found = json.loads(read_regular_file(path, MAX_FILE_BYTES))
    except FileNotFoundError:
        return None
    try:
        times = (float(found["looked_at"]), float(found["steady_since"]))
        state = ClockState(*times, float(found.get("booted_at", 0)), str(found.get("boot", "")))
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path} is not the state of a clock: {error!r}") from None
    if not all(map(math.isfinite, (*times, state.booted_at))):
        raise ValueError(f"{path} is not the state of a clock")
    return state


def save_state(path: Path, state: ClockState) -> None:
    """Replace the file atomically; raises `OSError`."""
    replace_file(path, json.dumps(asdict(state)).encode(), is_durable=False)


class ClockWatch:
    """Call `look` every minute or so; ``seconds`` is the time of day, ``since_boot`` cannot be set.

    ``state`` is that of the process before this one.
    """

    def __init__(
        self,
        seconds: Callable[[], float],
        since_boot: Callable[[], float] = seconds_since_boot,
        state: ClockState | None = None,
        boot: Callable[[], str] = current_boot,
    ) -> None:
        self._seconds = seconds
        self._since_boot = since_boot
        self._boot = boot()
        now = seconds()
        self._booted_at = now - since_boot()
        if state is None or not self._continues(state, now):
            state = self._state(now, now)
        self.state = state

    def look(self) -> float:
        """Compare the clocks; return by how many seconds the time of day has jumped, mostly 0."""
        now = self._seconds()
        booted_at = now - self._since_boot()
        jump = booted_at - self._booted_at
        has_jumped = abs(jump) > MAX_JUMP_SECONDS
        if has_jumped:
            self._booted_at = booted_at
        self.state = self._state(now, now if has_jumped else self.state.steady_since)
        return jump if has_jumped else 0.0

    def unsteady_seconds(self) -> float:
        """Return how long the clock still has to be watched; 0 if it can be trusted."""
        self.look()
        watched = self.state.looked_at - self.state.steady_since
        return max(0.0, STEADY_SECONDS - watched)

    def _state(self, now: float, steady_since: float) -> ClockState:
        return ClockState(now, steady_since, self._booted_at, self._boot)

    def _continues(self, state: ClockState, now: float) -> bool:
        """Return whether the clock has not jumped since a state of the process before."""
        is_same_boot = bool(self._boot) and state.boot == self._boot
        if is_same_boot and abs(self._booted_at - state.booted_at) > MAX_JUMP_SECONDS:
            return False
        longest = MAX_UNWATCHED_SECONDS if is_same_boot else MAX_JUMP_SECONDS
        return -MAX_JUMP_SECONDS <= now - state.looked_at <= longest and state.steady_since <= now
