"""What a process prepares before it serves, so that later it does not pause for that."""

from __future__ import annotations

import fcntl
import gc
import os
import resource
from contextlib import suppress

__all__ = ["freeze_gc", "reserve_descriptor_table"]


def freeze_gc() -> None:
    """Exclude the objects of the start from garbage collection, which shortens its pauses."""
    gc.collect()
    gc.freeze()


def reserve_descriptor_table(size: int = 8192) -> None:
    """Make the kernel allocate a large descriptor table now.

    Linux grows a full table, and a process with threads then waits for all processors (an RCU
    grace period): 20 ms and more, in the middle of an ``accept``. The table never shrinks.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    size = size if limit == resource.RLIM_INFINITY else min(size, limit)
    with suppress(OSError), open(os.devnull, "rb") as file:
        os.close(fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, size - 1))
