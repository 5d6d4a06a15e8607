"""The table of accounts, as queries use it, and what names a schema; the migrations create it.

The columns have no types here, so values are those of the driver: a row that someone has filled
with the wrong kind of value disables its account only, and does not break queries of others.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import column, table

__all__ = [
    "ACCOUNTS",
    "ACCOUNTS_SCHEMA",
    "CHANNEL",
    "COLUMNS",
    "SCHEMA_VERSION",
    "VERSION_TABLE",
    "Schema",
]

SCHEMA_VERSION = "0002"
"""The last of the migrations."""
VERSION_TABLE = "ftpservice_version"
CHANNEL = "ftpservice_accounts"
"""Where PostgreSQL notifies of changes."""
COLUMNS = (
    "name",
    "password_hash",
    "root",
    "rights",
    "disabled",
    "expires",
    "max_sessions",
    "quota_bytes",
    "quota_files",
    "options",
)
ACCOUNTS = table("ftpservice_accounts", *(column(name) for name in COLUMNS))


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


ACCOUNTS_SCHEMA = Schema(
    SCHEMA_VERSION, VERSION_TABLE, Path(__file__).parent / "migrations", "--store "
)
