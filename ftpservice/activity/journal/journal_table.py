"""The table of the journal, as queries use it; the migrations create it."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import column, table

from ftpservice.accounts.sql.database_schema import Schema
from ftpservice.activity.journal.journal_rows import COLUMNS

__all__ = ["JOURNAL", "JOURNAL_SCHEMA"]

JOURNAL = table("ftpservice_journal", *(column(name) for name in COLUMNS))
JOURNAL_SCHEMA = Schema(
    "0002",
    "ftpservice_journal_version",
    Path(__file__).parent / "migrations",
    "--journal ",
)
