"""A descriptor kept in reserve, for the moment in which the process has no other."""

from __future__ import annotations

import os

__all__ = ["DescriptorReserve"]


class DescriptorReserve:
    """Holds one descriptor; after `release` the next one that is opened takes its place."""

    def __init__(self) -> None:
        self._own: int | None = None

    def hold(self) -> bool:
        """Take a descriptor, unless one is held; returns whether one is held."""
        if self._own is None:
            try:
                self._own = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
            except OSError:
                return False
        return True

    def release(self) -> bool:
        """Close the descriptor; returns whether one was held."""
        own, self._own = self._own, None
        if own is None:
            return False
        os.close(own)
        return True
