"""The table of accounts, as queries use it; the migrations create it.

The columns have no types here, so values are those of the driver: a row that someone has filled
with the wrong kind of value disables its account only, and does not break queries of others.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import column, table

from ftpservice.accounts.sql.database_schema import Schema

__all__ = [
    "ACCOUNTS",
    "ACCOUNTS_SCHEMA",
    "CHANNEL",
    "COLUMNS",
    "SCHEMA_VERSION",
    "VERSION_TABLE",
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


ACCOUNTS_SCHEMA = Schema(
    SCHEMA_VERSION, VERSION_TABLE, Path(__file__).parent / "migrations", "--store "
)
