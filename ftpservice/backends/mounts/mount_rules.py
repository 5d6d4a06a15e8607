"""What holds for the mounts of all accounts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from ftpservice.concurrency.thread_pool import BlockingPool

__all__ = ["MountRules", "RenameAcrossMounts"]


class RenameAcrossMounts(Enum):
    """What a rename does whose two names are in different storages."""

    REFUSE = "refuse"
    COPY = "copy"
    """Copy a file, then remove the original; directories are refused."""


@dataclass
class MountRules:
    """What every mounted storage needs; a change is in force for those that exist."""

    clock: Any
    """An ``IReactorTime``."""
    rename_across: RenameAcrossMounts = RenameAcrossMounts.REFUSE
    pool: BlockingPool | None = None
    """Threads that look at a directory before it is opened for the first time: it may hang."""
