"""What holds for the mounts of all accounts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

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
