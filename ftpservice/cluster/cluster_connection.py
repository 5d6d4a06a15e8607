"""A connection to the database of a cluster, for one thread at a time; it is opened again if lost.

Its errors are `StoreUnavailable`. Statements commit at once. `interrupt`, from another thread, ends
calls that the server keeps waiting.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import psycopg
from psycopg.types.string import StrDumperUnknown

from ftpservice.accounts.account_store import StoreUnavailable
from ftpservice.accounts.sql.database import Database
from ftpservice.accounts.sql.database_url import DatabaseURL
from ftpservice.cluster.cluster_schema import CLUSTER_SCHEMA

__all__ = ["ClusterConnection"]

STATEMENT_SECONDS = 5.0

T = TypeVar("T")


class _TextDumper(StrDumperUnknown):
    """Texts as PostgreSQL takes them: bytes of names that are not UTF-8 become escapes."""

    def dump(self, obj: str) -> Any:
        """Return what is sent."""
        text = obj.replace("\0", "\\x00").encode("utf-8", "backslashreplace")
        return super().dump(text.decode())


class ClusterConnection:
    """One connection, made by the first call."""

    def __init__(self, url: DatabaseURL) -> None:
        self.place = url.place.removeprefix("sql:")
        """The database for messages, without a password."""
        self._database = Database(url, STATEMENT_SECONDS, schema=CLUSTER_SCHEMA)
        self._connection: Any = None

    def call(self, work: Callable[..., T], *words: Any) -> T:
        """Return what ``work`` makes of the driver's connection and ``words`` (blocks)."""
        with self._database.calls.running():
            try:
                if self._connection is None:
                    self._connection = self._connected()
                self._database.calls.use(self._connection)
                return work(self._connection, *words)
            except (psycopg.Error, OSError) as error:
                self.close()
                raise _of_cluster(self._database.unavailable(error)) from None
            except StoreUnavailable as error:
                self.close()
                raise _of_cluster(error) from None
            except BaseException:
                self.close()
                raise

    def _connected(self) -> Any:
        """Connect, after a look at the version of the schema."""
        database = self._database
        with database.transaction():
            pass
        with database.calls.opening():
            pooled = database.engine.raw_connection()
        connection: Any = pooled.driver_connection
        pooled.detach()
        try:
            database.calls.use(connection)
            connection.rollback()
            connection.autocommit = True
        except BaseException:  # it was interrupted
            connection.close()
            raise
        connection.adapters.register_dumper(str, _TextDumper)
        return connection

    def interrupt(self) -> None:
        """End the call in progress; does not block."""
        self._database.calls.interrupt(0.0)

    def close(self) -> None:
        """Close the connection; the next call opens another one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg.Error, OSError):
                connection.close()


def _of_cluster(error: StoreUnavailable) -> StoreUnavailable:
    """Return an error that names the database as the setting does, not as ``--auth`` would."""
    return StoreUnavailable(str(error).replace("sql:postgresql:", "postgresql:"))
