"""Where the database of a cluster is: what the setting ``cluster`` means, without the extra."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the extra cluster may be missing
    from ftpservice.accounts.sql.database_url import DatabaseURL

__all__ = ["check_cluster_url", "cluster_database_url"]

MODULES = ("sqlalchemy", "alembic", "psycopg")
STORE_PREFIX = "sql:"
SCHEMES = ("postgresql:", "postgresql+psycopg:")


def cluster_database_url(text: str) -> DatabaseURL:
    """Return the database of a URL; raises `ValueError` without naming a password."""
    for name in MODULES:
        if find_spec(name) is None:
            raise ValueError(f"{name} is not installed; run: pip install 'ftpservice[cluster]'")
    from ftpservice.accounts.sql.database_url import parse_database_url

    return parse_database_url(check_cluster_url(text))


def check_cluster_url(text: str) -> str:
    """Return the URL without spaces and prefix; raises `ValueError` for another kind of one.

    Needs no module of the extra: every worker reads its settings.
    """
    address = text.strip().removeprefix(STORE_PREFIX)
    if not address.startswith(SCHEMES):
        raise ValueError("a cluster needs PostgreSQL: postgresql://user@host/database")
    return address
