"""What the C library keeps of freed memory goes back to the system."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.service_process import checkout_environment

FRAGMENTED = """
import ctypes, resource
from twisted.internet.task import Clock
from ftpservice.service.process_memory import TRIM_SECONDS, trim_malloc

def resident():
    with open("/proc/self/statm") as numbers:
        return int(numbers.read().split()[1]) * resource.getpagesize()

library = ctypes.CDLL(None)
library.malloc.restype = ctypes.c_void_p
clock = Clock()
trim_malloc(clock)
blocks = [library.malloc(50_000) for _ in range(800)]
for block in blocks:
    ctypes.memset(block, 1, 50_000)
for block in blocks[:-1]:  # the last one is at the end of the pool
    library.free(ctypes.c_void_p(block))
print(resident())
for _ in range(2):
    clock.advance(TRIM_SECONDS)
    print(resident())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="malloc_trim is of glibc")
def test_memory_that_was_freed_is_given_back() -> None:
    found = subprocess.run(
        [sys.executable, "-c", FRAGMENTED],
        env=checkout_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    before, *later = map(int, found.stdout.split())
    assert all(before - one > 30_000_000 for one in later)


LARGE = """
import ctypes
from ftpservice.service.process_memory import MMAP_THRESHOLD, limit_malloc

class Numbers(ctypes.Structure):
    names = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"
    _fields_ = [(name, ctypes.c_size_t) for name in names.split()]

limit_malloc()
library = ctypes.CDLL(None)
library.malloc.restype = ctypes.c_void_p
library.mallinfo2.restype = Numbers
for size in (20 << 20, 1 << 20, MMAP_THRESHOLD):  # without a limit, the first raises the threshold
    before = library.mallinfo2().hblks
    block = library.malloc(size)
    print(library.mallinfo2().hblks - before)
    library.free(ctypes.c_void_p(block))
"""


@pytest.mark.parametrize(
    ("given", "mapped"), [({}, "111"), ({"MALLOC_MMAP_THRESHOLD_": "4000000"}, "100")], ids=str
)
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="mallopt is of glibc")
def test_large_blocks_are_given_back_at_once(given: dict[str, str], mapped: str) -> None:
    found = subprocess.run(
        [sys.executable, "-c", LARGE],
        env=checkout_environment() | given,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "".join(found.stdout.split()) == mapped
