"""Where the journal is: what the setting ``journal`` means. Needs the extra ``sql``."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ftpservice.accounts.sql.database_url import DatabaseURL

__all__ = [
    "JOURNAL_FILE",
    "SPOOL_DIRECTORY",
    "JournalPlan",
    "has_database_extra",
    "journal_database_url",
]

JOURNAL_FILE = "journal.db"
"""The default database, in the data directory."""
SPOOL_DIRECTORY = "journal-spool"
"""In the data directory."""
MODULES = ("sqlalchemy", "alembic", "psycopg")
URL_MARK = "://"
STORE_PREFIX = "sql:"


@dataclass(frozen=True)
class JournalPlan:
    """What the service keeps as its journal, and how long."""

    url: DatabaseURL
    spool: Path
    """The directory for what is not in the database yet."""
    keep: float = 0.0
    """Seconds that rows are kept; 0: for ever."""
    max_bytes: int = 0
    """The size of the database; 0: without a limit."""
    spool_bytes: int = 256 * 1024 * 1024
    is_durable: bool = False
    node: str = ""
    """The name of the node of a cluster."""


def has_database_extra() -> bool:
    """Return whether the extra ``sql`` is installed."""
    return all(find_spec(name) is not None for name in MODULES)


def journal_database_url(place: str) -> DatabaseURL:
    """Return the database of a path or URL; raises `ValueError`."""
    for name in MODULES:
        if find_spec(name) is None:
            raise ValueError(f"{name} is not installed; run: pip install 'ftpservice[sql]'")
    from sqlalchemy import URL

    from ftpservice.accounts.sql.database_url import DatabaseURL, parse_database_url

    place = place.removeprefix(STORE_PREFIX)
    if URL_MARK in place:
        return parse_database_url(place)
    return DatabaseURL(URL.create("sqlite", database=os.path.abspath(place)))
