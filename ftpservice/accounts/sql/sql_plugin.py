"""The strcred plugin ``sql:``; twistd imports it with every command, so it imports little."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from twisted.cred.credentials import IUsernamePassword
from twisted.cred.strcred import ICheckerFactory, InvalidAuthArgumentString
from twisted.plugin import IPlugin
from zope.interface import implementer

from ftpservice.accounts.account_store import IAccountStoreFactory

if TYPE_CHECKING:
    from ftpservice.accounts.sql.sql_store import SQLStore
    from ftpservice.accounts.stores.store_checker import StoreChecker

__all__ = ["SQLFactory"]

HELP = """
Accounts in a database:

    sql:sqlite:////var/lib/ftpservice/accounts.db
    sql:postgresql://user@host/database

Create the table with: ftpservice db upgrade --store sql:... With ?cache=10m at the
end, an account that was accepted within that time can log in while the database is
down. Needs the extra "sql": pip install 'ftpservice[sql]'.
"""
MISSING_TEXT = "sql: {name} is not installed; run: pip install 'ftpservice[sql]'"


@implementer(ICheckerFactory, IAccountStoreFactory, IPlugin)
class SQLFactory:
    """Creates a `StoreChecker` for ``sql:postgresql://user@host/database``.

    Start the checker before the first login (`IStartable`).
    """

    authType = "sql"
    authHelp = HELP
    argStringFormat = "URL of a database, such as sqlite:////path or postgresql://user@host/db."
    credentialInterfaces = (IUsernamePassword,)

    def generateChecker(self, argstring: str) -> StoreChecker:
        """Return the checker; the database is not asked before the first login.

        Raises `InvalidAuthArgumentString`.
        """
        url = _database_url(argstring)
        from ftpservice.accounts.sql.sql_lookup import SQLLookup
        from ftpservice.accounts.sql.sql_store import SQLStore
        from ftpservice.accounts.stores.store_checker import StoreChecker

        return StoreChecker(SQLLookup(url), SQLStore(url), url.cache_seconds)

    def openStore(self, argstring: str) -> SQLStore:
        """Return the accounts of the database, to be changed."""
        url = _database_url(argstring)
        from ftpservice.accounts.sql.sql_store import SQLStore

        return SQLStore(url)


def _database_url(argstring: str) -> Any:
    for name in ("sqlalchemy", "alembic", "psycopg"):
        if find_spec(name) is None:
            raise InvalidAuthArgumentString(MISSING_TEXT.format(name=name))
    from ftpservice.accounts.sql.database_url import parse_database_url

    try:
        return parse_database_url(argstring)
    except ValueError as error:
        raise InvalidAuthArgumentString(f"sql: {error}") from None
