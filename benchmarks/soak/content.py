"""The content of files: reproducible from two numbers, different for each upload."""

from __future__ import annotations

import random
from dataclasses import dataclass

__all__ = ["Content"]

BLOCK_SIZE = 1 << 20
BLOCK = random.Random(1).randbytes(BLOCK_SIZE)
HEAD = 16


@dataclass(frozen=True)
class Content:
    """``size`` bytes that begin with ``seed``; a beginning is never the content of another file."""

    seed: int
    size: int

    def data(self) -> bytes:
        """Return the bytes."""
        start = self.seed * 7919 % BLOCK_SIZE
        times = (self.size + start) // BLOCK_SIZE + 1
        head = b"%016x" % (self.seed % (1 << 64))
        return (head + (BLOCK * times)[start : start + max(0, self.size - HEAD)])[: self.size]
