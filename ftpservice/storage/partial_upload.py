"""What a storage tells of an interrupted upload."""

from __future__ import annotations

from typing import NamedTuple

from ftpservice.wire.paths import VirtualPath

__all__ = ["PartialUpload"]


class PartialUpload(NamedTuple):
    """What is kept of one upload that did not come to its end, or arrives just now."""

    path: VirtualPath
    """The file that it is an upload of, or the partial's own where that is not known."""
    owner: str
    """The account; empty where that is not known."""
    size: int
    modified: float
    """When the last of it arrived, in seconds since the epoch."""
    is_active: bool = False
    """Whether it still arrives."""
