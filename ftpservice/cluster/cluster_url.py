"""Where the database of a cluster is: what the setting ``cluster`` means, without the extra."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the extra cluster may be missing
    from ftpservice.accounts.sql.database_url import DatabaseURL

__all__ = ["cluster_database_url"]

MODULES = ("sqlalchemy", "alembic", "psycopg")
STORE_PREFIX = "sql:"
SCHEMES = ("postgresql:", "postgresql+psycopg:")


def cluster_database_url(text: str) -> DatabaseURL:
    """Return the database of a URL; raises `ValueError` without naming a password."""
    for name in MODULES:
        if find_spec(name) is None:
            raise ValueError(f"{name} is not installed; run: pip install 'ftpservice[cluster]'")
    from ftpservice.accounts.sql.database_url import parse_database_url

    address = text.strip().removeprefix(STORE_PREFIX)
    if not address.startswith(SCHEMES):
        raise ValueError("a cluster needs PostgreSQL: postgresql://user@host/database")
    return parse_database_url(address)
