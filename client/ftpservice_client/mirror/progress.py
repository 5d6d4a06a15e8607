"""The progress of the transfer of a directory tree."""

from __future__ import annotations

from collections.abc import Sequence

from ftpservice_client.results import MirrorStep

__all__ = ["MirrorProgress"]


class MirrorProgress:
    """Is kept up to date by the ``mirror`` that it is given to; may be read at any time."""

    def __init__(self) -> None:
        self.files = 0
        """Files to be moved, as soon as that is known."""
        self.files_ended = 0
        """How many of them are through, well or not."""
        self.size = 0
        """Bytes of all of them."""
        self.moving: dict[str, tuple[int, int]] = {}
        """Files on their way, by name: the bytes that are there, and those that will be."""
        self._ended = 0

    @property
    def moved(self) -> int:
        """Bytes of ``size`` that are through."""
        return self._ended + sum(there for there, _ in self.moving.values())

    def plan(self, steps: Sequence[MirrorStep]) -> None:
        """Know what there is to be moved."""
        self.files = len(steps)
        self.size = sum(step.size for step in steps)

    def note(self, step: MirrorStep, there: int) -> None:
        """Know how many bytes of a file are there."""
        self.moving[step.name] = (min(there, step.size), step.size)

    def end(self, step: MirrorStep) -> None:
        """Know that a file is through, if it was on its way."""
        if self.moving.pop(step.name, None) is not None:
            self.files_ended += 1
            self._ended += step.size
