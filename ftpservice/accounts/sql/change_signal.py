"""Whether anything has changed in a database of accounts, at the cost of one short query.

On PostgreSQL by LISTEN: the trigger of the schema notifies. On SQLite by ``PRAGMA data_version``,
which changes when another connection has committed. Either needs a connection of its own; when that
is lost, everything may have changed.
"""

from __future__ import annotations

from typing import Any

from ftpservice.accounts.account_store import StoreUnavailable
from ftpservice.accounts.sql.database import Database
from ftpservice.accounts.sql.schema import CHANNEL

__all__ = ["ChangeSignal"]


class ChangeSignal:
    """The changes of one database. Use it from one thread at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: Any = None
        self._version: object = None
        self._notified = False

    def has_changed(self) -> bool:
        """Return whether there may be changes since the last call (blocks).

        A connection that was lost since is replaced. Raises `StoreUnavailable`.
        """
        with self._database.calls.running():
            if self._connection is not None:
                try:
                    self._database.calls.use(self._connection)
                    return self._ask()
                except Exception:  # noqa: BLE001 - drivers have errors of their own
                    self.close()
                    self._database.engine.dispose()  # others of the pool were lost with it
            try:
                self._connect()
            except StoreUnavailable:
                self.close()
                raise
            except Exception as error:  # noqa: BLE001 - drivers have errors of their own
                self.close()
                raise self._database.unavailable(error) from None
            return True

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _connect(self) -> None:
        database = self._database
        if database.is_sqlite:
            self._connection = database.open_file()
            database.calls.use(self._connection)
        else:
            with database.calls.opening():
                pooled = database.engine.raw_connection()
            connection: Any = pooled.driver_connection
            pooled.detach()
            self._connection = connection
            database.calls.use(connection)
            connection.rollback()
            connection.autocommit = True
            connection.add_notify_handler(self._on_notification)
            connection.execute(f"LISTEN {CHANNEL}")
        self._ask()

    def _ask(self) -> bool:
        if self._database.is_sqlite:
            (version,) = self._connection.execute("PRAGMA data_version").fetchone()
            is_other = bool(version != self._version)
            self._version = version
            return is_other
        self._connection.execute("SELECT 1")
        notified, self._notified = self._notified, False
        return notified

    def _on_notification(self, _notification: object) -> None:
        self._notified = True
