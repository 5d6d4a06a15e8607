"""The account stores that can be changed, one of each kind, for tests that hold for all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ftpservice.accounts.account_store import IAccountStore
from ftpservice.accounts.passwd_store import PasswordFileStore
from ftpservice.accounts.sql.sql_plugin import SQLFactory
from ftpservice.accounts.sql.sql_store import SQLStore
from tests.support.postgresql import PostgreSQL

__all__ = ["StoreCase"]


class StoreCase:
    """One store: ``description`` is what ``--store`` takes, ``store`` its interface."""

    def __init__(self, kind: str, directory: Path, server: PostgreSQL | None) -> None:
        self.kind = kind
        self.path = directory / ("passwd.db" if kind == "passwd" else "accounts.db")
        self.description = f"passwd:{self.path}"
        self.database = ""
        self._server = server
        if kind == "passwd":
            self.path.write_text("# accounts\n")
            self.path.chmod(0o600)
            self.store: IAccountStore = PasswordFileStore(self.path)
            return
        if server is not None:
            self.database = server.new_database()
            self.description = f"sql:{server.url(self.database, None)}"
        else:
            self.description = f"sql:sqlite:///{self.path}"
        from ftpservice.accounts.sql.migration import upgrade

        store: SQLStore = SQLFactory().openStore(self.description.removeprefix("sql:"))
        upgrade(store.database)
        self.store = store

    def execute(self, statement: str) -> Any:
        """Run a statement of SQL as another program would; returns the rows, if it has some."""
        if self._server is not None:
            with self._server.connect(self.database) as connection:
                cursor = connection.execute(statement)
                return cursor.fetchall() if cursor.description else None
        import sqlite3

        connection = sqlite3.connect(self.path)
        try:
            with connection:
                return connection.execute(statement).fetchall()
        finally:
            connection.close()
