"""How much memory the objects take that some code leaves behind."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable

__all__ = ["bytes_left_by"]


def bytes_left_by(code: Callable[[int], object], times: int, place: str = "*") -> float:
    """Return the bytes that each call of ``code`` leaves allocated by lines of files ``place``.

    It is called with numbers, some times before, so that what is made once does not count.
    """
    for number in range(times):
        code(number)
    gc.collect()
    tracemalloc.start()
    try:
        for number in range(times, 2 * times):
            code(number)
        gc.collect()
        taken = tracemalloc.take_snapshot()
    finally:
        tracemalloc.stop()
    counted = taken.filter_traces([tracemalloc.Filter(True, place)])
    return sum(trace.size for trace in counted.traces) / times
