"""Database URLs: which databases are supported, and texts for messages without the password."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from ftpservice.wire.units import parse_duration

__all__ = ["DatabaseURL", "parse_database_url"]

EXAMPLES = "sqlite:////var/lib/ftpservice/accounts.db or postgresql://user@host/database"


@dataclass(frozen=True, repr=False)
class DatabaseURL:
    """A database, and the options of its string."""

    url: URL
    cache_seconds: float = 0.0

    @property
    def path(self) -> str | None:
        """The file of an SQLite database; None for PostgreSQL."""
        is_file = self.url.get_backend_name() == "sqlite"
        return os.path.abspath(self.url.database or "") if is_file else None

    @property
    def place(self) -> str:
        """The database for messages, as ``--store`` takes it, without a password."""
        if self.path is not None:
            return f"sql:sqlite:///{self.path}"
        shown: Any = self.url.set(drivername="postgresql", query={})
        return f"sql:{URL.create(**{**shown._asdict(), 'password': None})}"


def parse_database_url(text: str) -> DatabaseURL:
    """Return the database of a string; raises `ValueError` without naming a password."""
    try:
        url = make_url(text.strip())
    except (ArgumentError, ValueError):
        raise ValueError(f"not a database URL, such as {EXAMPLES}") from None
    query = dict(url.query)
    cache = query.pop("cache", "0")
    url = url.set(query=query)
    kind = url.drivername
    if kind == "sqlite":
        if not url.database or url.database == ":memory:" or query:
            raise ValueError("sqlite: expected a path, as in sqlite:////var/lib/ftpservice/a.db")
    elif kind in ("postgresql", "postgresql+psycopg"):
        url = url.set(drivername="postgresql+psycopg")
        if not url.database:
            raise ValueError("the database is missing, as in postgresql://user@host/database")
    else:
        raise ValueError(f"unsupported kind of database {kind!r}; use {EXAMPLES}")
    try:
        seconds = parse_duration(str(cache))
    except ValueError as error:
        raise ValueError(f"cache={cache}: {error}") from None
    return DatabaseURL(url, seconds)
