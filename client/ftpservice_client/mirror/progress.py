"""The progress of a mirror as a whole."""

from __future__ import annotations

from collections.abc import Sequence

from ftpservice_client.results import MirrorStep

__all__ = ["MirrorProgress"]


class MirrorProgress:
    """Updated by the `Client.mirror` to which it is passed; may be read at any time."""

    def __init__(self) -> None:
        self.files = 0
        """Files to transfer; 0 until both trees are listed."""
        self.files_ended = 0
        """Files whose transfer has ended, with success or not."""
        self.size = 0
        """Bytes of all files to transfer."""
        self.moving: dict[str, tuple[int, int]] = {}
        """Running transfers by name: the bytes so far and in all."""
        self._ended = 0

    @property
    def moved(self) -> int:
        """Bytes of ``size`` that were transferred."""
        return self._ended + sum(moved for moved, _ in self.moving.values())

    def plan(self, steps: Sequence[MirrorStep]) -> None:
        """Record the transfers of the mirror."""
        self.files = len(steps)
        self.size = sum(step.size for step in steps)

    def note(self, step: MirrorStep, moved: int) -> None:
        """Record how many bytes of a file were transferred."""
        self.moving[step.name] = (min(moved, step.size), step.size)

    def end(self, step: MirrorStep) -> None:
        """Record that the transfer of a file has ended."""
        self.moving.pop(step.name, None)
        self.files_ended += 1
        self._ended += step.size
