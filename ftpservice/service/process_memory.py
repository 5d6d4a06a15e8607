"""What a process prepares before it serves, so that it does not pause for that or grow later."""

from __future__ import annotations

import ctypes
import fcntl
import gc
import os
import resource
from contextlib import suppress

from twisted.internet.interfaces import IReactorTime

__all__ = ["freeze_gc", "limit_malloc", "reserve_descriptor_table", "trim_malloc"]

M_ARENA_MAX, M_MMAP_THRESHOLD = -8, -3
"""Of glibc's malloc.h."""
MAX_ARENAS = 2
"""Python's threads allocate one at a time, nearly always; one arena is the main thread's."""
MMAP_THRESHOLD = 320 * 1024
"""More than the buffers of 256 KiB, which would be mapped anew for each use."""

TRIM_SECONDS = 600.0


def limit_malloc() -> None:
    """Let the C library keep little freed memory, in a process whose threads have not begun.

    - All threads share two pools. glibc makes eight for each processor, and each keeps what the
      largest work of its threads took: a password check 19 MiB.
    - What is larger than the threshold is given back as soon as it is freed. glibc raises that
      threshold to the largest such block, and small blocks divide the place of large ones.

    What the environment says (``MALLOC_ARENA_MAX``, ``MALLOC_MMAP_THRESHOLD_``) stays as it is;
    other C libraries have no such settings.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    tunables = os.environ.get("GLIBC_TUNABLES", "")
    if "MALLOC_ARENA_MAX" not in os.environ and "arena_max" not in tunables:
        mallopt(M_ARENA_MAX, MAX_ARENAS)
    if "MALLOC_MMAP_THRESHOLD_" not in os.environ and "mmap_threshold" not in tunables:
        mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD)


def trim_malloc(clock: IReactorTime) -> None:
    """Give memory that the C library keeps back to the system, every ten minutes from now on.

    By itself it gives back only what is at the end of its pools (malloc_trim(3)), so what a burst
    of sessions took would stay. That takes 0.1 ms, or up to 0.2 ms for each MiB after a burst.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is None:  # another C library
        return

    def run() -> None:
        trim(0)
        clock.callLater(TRIM_SECONDS, run)

    clock.callLater(TRIM_SECONDS, run)


def freeze_gc() -> None:
    """Exclude the objects of the start from garbage collection, which shortens its pauses.

    The second collection makes Python count the others anew: it collects all of them when a quarter
    has come since, and would take that of the excluded ones, hundreds of ended sessions.
    """
    gc.collect()
    gc.freeze()
    gc.collect()


def reserve_descriptor_table(size: int = 8192) -> None:
    """Make the kernel allocate a large descriptor table now.

    Linux grows a full table, and a process with threads then waits for all processors (an RCU
    grace period): 20 ms and more, in the middle of an ``accept``. The table never shrinks.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    size = size if limit == resource.RLIM_INFINITY else min(size, limit)
    with suppress(OSError), open(os.devnull, "rb") as file:
        os.close(fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, size - 1))
