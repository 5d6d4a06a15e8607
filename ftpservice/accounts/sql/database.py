"""Connections to a database; its errors are `StoreUnavailable`.

- The schema is checked at the first use, and again after an error, so that a missing or another
  version is named with what to do.
- Calls that a server keeps waiting are ended by closing their connection under them: ``calls``.
- Messages never have the URL with its password, the statement or its values.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, create_engine, event, select, table, text
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.pool import NullPool, QueuePool

from ftpservice.accounts.account_store import InvalidAccount, StoreUnavailable
from ftpservice.accounts.sql.database_schema import Schema
from ftpservice.accounts.sql.database_url import DatabaseURL
from ftpservice.accounts.sql.running_calls import RunningCalls
from ftpservice.accounts.sql.schema import ACCOUNTS_SCHEMA

__all__ = ["Database"]

CONNECT_SECONDS = 2
PRIVATE_MODE = 0o600


class Database:
    """One database; ``seconds`` limits each statement.

    ``connections`` are kept open at most, for as many transactions at a time; with 0 each has a
    connection of its own.
    """

    def __init__(
        self,
        url: DatabaseURL,
        seconds: float,
        connections: int = 0,
        schema: Schema = ACCOUNTS_SCHEMA,
    ) -> None:
        self.place = url.place
        self.schema = schema
        self.is_sqlite = url.path is not None
        self._url = url
        self._seconds = self.busy_seconds = seconds
        arguments: dict[str, Any] = {} if self.is_sqlite else _server_arguments()
        if connections:
            arguments |= {"pool_size": connections, "max_overflow": 0, "pool_timeout": seconds}
        self.engine = create_engine(
            "sqlite://" if self.is_sqlite else url.url,
            poolclass=QueuePool if connections else NullPool,
            hide_parameters=True,
            **arguments,
        )
        event.listen(self.engine, "do_connect", self._connect)
        event.listen(self.engine, "connect", self._connected)
        if self.is_sqlite:
            event.listen(self.engine, "begin", _begin)
        self.file_mode = "mode=rw"
        """How an SQLite file is opened, as in its URI."""
        self._is_checked = False
        self.calls = RunningCalls(self.place)

    @contextmanager
    def transaction(self, writes: bool = False, checked: bool = True) -> Iterator[Connection]:
        """Begin a transaction (blocks), and commit it at the end; ``checked``: of the schema.

        Raises `StoreUnavailable`; `InvalidAccount` for a row that the database refuses.
        """
        with self._errors(), self.calls.running(), ExitStack() as stack:
            with self.calls.opening():
                connection = stack.enter_context(self.engine.connect())
            options = connection.execution_options(ftpservice_writes=writes)
            with self.calls.using(connection.connection.driver_connection), options.begin():
                if checked and not self._is_checked:
                    self._check(connection)
                yield connection

    def read(self, statement: Any) -> list[dict[str, Any]]:
        """Return the rows of a query; once more if the connection was lost before."""
        try:
            return self._read(statement)
        except StoreUnavailable as error:
            cause = error.__cause__
            if not isinstance(cause, DBAPIError) or not cause.connection_invalidated:
                raise
        return self._read(statement)

    def version(self) -> str | None:
        """Return the version of the schema; None without one."""
        with self.transaction(checked=False) as connection:
            return self.version_in(connection)

    def open_file(self) -> sqlite3.Connection:
        """Connect to the file of an SQLite database, which must exist."""
        path = self._url.path or ""
        if not os.path.exists(path):
            raise sqlite3.OperationalError(f"there is no such file; run: {self._upgrade_command}")
        return sqlite3.connect(
            f"file:{quote(path)}?{self.file_mode}",
            timeout=self.busy_seconds,
            uri=True,
            isolation_level=None,
            check_same_thread=False,
        )

    def create_file(self) -> None:
        """Create the file of an SQLite database, for its owner only, unless it exists."""
        path = self._url.path
        if path is None or os.path.exists(path):
            return
        directory = os.path.dirname(path) or "."
        if not os.path.isdir(directory):
            raise StoreUnavailable(
                f"{self.place}: the directory {directory} does not exist; create it or choose "
                "another"
            )
        with self._errors():
            os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, PRIVATE_MODE))

    def close(self) -> None:
        """Close the connections."""
        self.engine.dispose()
        self._is_checked = False

    def unavailable(self, error: BaseException) -> StoreUnavailable:
        """Return the error of a database or its driver as a line, without statement and values."""
        self._is_checked = False
        original = getattr(error, "orig", None) or error
        reason = getattr(original, "strerror", None) or str(original)
        lines = [line.strip() for line in str(reason).splitlines() if line.strip()]
        return StoreUnavailable(f"{self.place}: {lines[0] if lines else type(original).__name__}")

    def _read(self, statement: Any) -> list[dict[str, Any]]:
        with self.transaction() as connection:
            return [dict(row) for row in connection.execute(statement).mappings()]

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except IntegrityError as error:
            reason = str(error.orig).partition("\n")[0]
            raise InvalidAccount(f"{self.place}: {reason}") from None
        except (SQLAlchemyError, OSError, sqlite3.Error) as error:
            raise self.unavailable(error) from error

    def _check(self, connection: Connection) -> None:
        """Raise `StoreUnavailable` if the schema is not the one that this version needs."""
        found = self.version_in(connection)
        if found == self.schema.version:
            self._is_checked = True
            return
        what = f"version {found}" if found else "none"
        remedy = f"run: {self._upgrade_command}"
        if found and found > self.schema.version:
            remedy = "install the newer ftpservice that has made it"
        raise StoreUnavailable(
            f"{self.place}: its schema is {what}, needed is {self.schema.version}; {remedy}"
        )

    def version_in(self, connection: Connection) -> str | None:
        """Return the version of the schema on a connection; None without one."""
        if not connection.dialect.has_table(connection, self.schema.version_table):
            return None
        versions = table(self.schema.version_table)
        row = connection.execute(select(text("version_num")).select_from(versions))
        found = row.scalar()
        return None if found is None else str(found)

    @property
    def _upgrade_command(self) -> str:
        command = f"ftpservice db upgrade {self.schema.upgrade_option}{self.place}"
        # The place has no password; the settings file may have one.
        return command if self.is_sqlite else f"{command} (or --config FILE)"

    def _connect(self, dialect: Any, _record: Any, arguments: Any, options: Any) -> Any:
        """Return a new connection of the driver: what is done next with it can be ended."""
        connection = self.open_file() if self.is_sqlite else dialect.connect(*arguments, **options)
        self.calls.use(connection)
        return connection

    def _connected(self, connection: Any, _record: Any) -> None:
        """Prepare a connection of the driver."""
        if self.is_sqlite:
            return
        with connection.cursor() as cursor:
            cursor.execute(f"SET statement_timeout = {round(self._seconds * 1000)}")
        connection.commit()


def _server_arguments() -> dict[str, Any]:
    arguments = {
        "connect_timeout": CONNECT_SECONDS,
        "application_name": "ftpservice",
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 2,
        "tcp_user_timeout": 5000,
    }
    return {"connect_args": arguments}


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("ftpservice_writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
