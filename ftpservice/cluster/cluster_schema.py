"""Where the database of a cluster is: what the setting ``cluster`` means. Needs the extra."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ftpservice.accounts.sql.database_schema import Schema

if TYPE_CHECKING:
    from ftpservice.accounts.sql.database_url import DatabaseURL

__all__ = ["CHANNEL", "CLUSTER_SCHEMA", "cluster_database_url"]

CHANNEL = "ftpservice_cluster"
"""Where PostgreSQL notifies the nodes."""
CLUSTER_SCHEMA = Schema(
    "0002",
    "ftpservice_cluster_version",
    Path(__file__).parent / "migrations",
    "--cluster ",
)
MODULES = ("sqlalchemy", "alembic", "psycopg")
STORE_PREFIX = "sql:"


def cluster_database_url(text: str) -> DatabaseURL:
    """Return the database of a URL; raises `ValueError` without naming a password."""
    for name in MODULES:
        if find_spec(name) is None:
            raise ValueError(f"{name} is not installed; run: pip install 'ftpservice[cluster]'")
    from ftpservice.accounts.sql.database_url import parse_database_url

    url = parse_database_url(text.removeprefix(STORE_PREFIX))
    if url.path is not None:
        raise ValueError("a cluster needs PostgreSQL: postgresql://user@host/database")
    return url
