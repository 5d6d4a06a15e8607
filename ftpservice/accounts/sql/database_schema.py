"""What names the schema of a database. Loads nothing that the extra ``sql`` installs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Schema"]


@dataclass(frozen=True)
class Schema:
    """What one part of the service keeps in a database, with versions of its own."""

    version: str
    """The last of the migrations, which is needed."""
    version_table: str
    migrations: Path
    """The directory in which ``versions`` has the scripts (Alembic)."""
    upgrade_option: str
    """The option of ``ftpservice db upgrade`` that the place of the database completes."""

    @property
    def part(self) -> str:
        """What it is of: ``accounts``, ``journal`` or ``cluster``."""
        name = self.upgrade_option.strip(" -")
        return "accounts" if name == "store" else name
