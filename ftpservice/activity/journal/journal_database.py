"""The database of the journal: its schema, its rows, and how long they are kept (blocks)."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Double,
    Text,
    bindparam,
    cast,
    delete,
    event,
    func,
    select,
    text,
    true,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DataError, IntegrityError

from ftpservice.accounts.account_store import AccountStoreError
from ftpservice.accounts.sql.database import Database
from ftpservice.accounts.sql.database_url import DatabaseURL
from ftpservice.accounts.sql.migration import upgrade
from ftpservice.activity.journal.journal_rows import COLUMNS
from ftpservice.activity.journal.journal_table import JOURNAL, JOURNAL_SCHEMA
from ftpservice.activity.journal.row_texts import rows_of_record

__all__ = ["JournalDatabase"]

STATEMENT_SECONDS = 30.0
BUSY_SECONDS = 1.0
"""Short, because no other thread can end this wait, such as a stop of the service."""
ROWS_PER_DELETION = 2000
DELETIONS_AT_ONCE = 50
SIZE_AFTER = 0.9
"""What part of its maximum size the journal has after rows were deleted for it."""
SAMPLE_ROWS = 1000
ROW_OVERHEAD = 250
"""Bytes of a row in PostgreSQL beside its values: its header and its four indexes."""
PROGRAM_LIMIT = "54"
"""The SQLSTATE of PostgreSQL for what is too large, such as for an index."""
NO_TYPE = "Error binding parameter"
"""How the error of sqlite3 for a value begins that a column cannot have."""
ROWS_PER_STATEMENT = (128, 32, 8, 1)
"""Rows of an INSERT into SQLite. In each, the thread gives up the lock of the interpreter once, and
has to wait for it after that."""
NUMBERS: dict[str, Any] = {"at": Double, "seconds": Double, "rate": Double}
NUMBERS |= {name: BigInteger for name in ("number", "events", "bytes")}


class JournalDatabase:
    """One database; connected at the first use, again after an error."""

    def __init__(
        self,
        url: DatabaseURL,
        seconds: float = STATEMENT_SECONDS,
        busy_seconds: float = BUSY_SECONDS,
        is_read_only: bool = False,
    ) -> None:
        """``busy_seconds``: how long to wait for the lock of an SQLite file.

        ``is_read_only``: nothing can be written where an SQLite file is.
        """
        self.database = Database(url, seconds, connections=1, schema=JOURNAL_SCHEMA)
        self.database.busy_seconds = busy_seconds
        self._insert = _insert_values if self.database.is_sqlite else _insert_json
        self._path = url.path
        self._file: tuple[int, int] | None = None
        """The device and inode of an SQLite file that is prepared."""
        if url.path is not None and is_read_only:
            self.database.file_mode = _read_only_mode(url.path)
        elif self.database.is_sqlite:
            event.listen(self.database.engine, "connect", _let_shrink)

    @property
    def place(self) -> str:
        """The database for messages, without a password."""
        return self.database.place

    def prepare(self) -> None:
        """Create the file of an SQLite database, or bring it to the version that is needed.

        One that was deleted or replaced since is created or opened again: what goes on to write to
        a deleted file is lost.
        """
        if self._path is None or (self._file is not None and _identity(self._path) == self._file):
            return
        self.database.close()
        upgrade(self.database)
        self._file = _identity(self._path)

    def add(self, records: Sequence[str]) -> int:
        """Add the rows of records, unless their ids are there already.

        Returns the number of those that the database refuses. Raises `StoreUnavailable`.
        """
        try:
            with self.database.transaction(writes=True) as connection:
                self._insert(connection, f"[{','.join(records)}]")
        except AccountStoreError as error:
            if not _is_about_a_row(error.__context__):
                raise
        except (ValueError, OverflowError, RecursionError):
            pass  # it is no JSON, or has a number that SQLite does not take
        else:
            return 0
        if len(records) == 1:
            records = rows_of_record(records[0])
        if len(records) == 1:
            return 1
        half = len(records) // 2
        return self.add(records[:half]) + self.add(records[half:])

    def newest(self) -> float | None:
        """Return the time of the last row; None without rows."""
        with self.database.transaction() as connection:
            found = connection.execute(select(func.max(JOURNAL.c.at))).scalar()
        return None if found is None else float(found)

    def delete_before(self, when: float) -> int:
        """Delete rows that are older, as many as fit in some seconds; return their number."""
        return self._delete_oldest(lambda _connection: True, JOURNAL.c.at < when)

    def delete_over(self, max_bytes: int) -> int:
        """Delete the oldest rows of a journal that is larger; return their number."""
        with self.database.transaction() as connection:
            if self._size(connection) <= max_bytes:
                return 0
        goal = max_bytes * SIZE_AFTER
        return self._delete_oldest(lambda connection: self._size(connection) > goal, true())

    def _delete_oldest(self, goes_on: Any, condition: Any) -> int:
        deleted = 0
        oldest = select(JOURNAL.c.id).where(condition).order_by(JOURNAL.c.at)
        statement = delete(JOURNAL).where(JOURNAL.c.id.in_(oldest.limit(ROWS_PER_DELETION)))
        for _ in range(DELETIONS_AT_ONCE):
            with self.database.transaction(writes=True) as connection:
                if not goes_on(connection):
                    break
                count = connection.execute(statement).rowcount
            deleted += count
            if count < ROWS_PER_DELETION:
                break
        if deleted and self.database.is_sqlite:
            with self.database.transaction(writes=True) as connection:
                driver: Any = connection.connection.driver_connection
                driver.executescript("PRAGMA incremental_vacuum")  # execute() frees one page
        return deleted

    def _size(self, connection: Connection) -> float:
        """Return the bytes of the journal; for PostgreSQL about: deleted rows do not count."""
        if self.database.is_sqlite:
            pages, unused, size = (
                connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
                for name in ("page_count", "freelist_count", "page_size")
            )
            return float((pages - unused) * size)
        rows = connection.execute(select(func.count()).select_from(JOURNAL)).scalar_one()
        mean = connection.execute(
            text(
                "SELECT coalesce(avg(pg_column_size(sample.*)), 0) FROM (SELECT * FROM"
                f" {JOURNAL.name} ORDER BY at DESC LIMIT {SAMPLE_ROWS}) AS sample"
            )
        ).scalar_one()
        return float(rows) * (float(mean) + ROW_OVERHEAD)

    def interrupt(self, seconds: float = 0.0) -> None:
        """End the calls that have run for longer; does not block, for another thread."""
        self.database.calls.interrupt(seconds)

    def close(self) -> None:
        """Close the connections."""
        self.database.close()


def _is_about_a_row(error: BaseException | None) -> bool:
    """Return whether it is a row that the database does not take, now or later."""
    if isinstance(error, DataError | IntegrityError):
        return True
    reason: Any = getattr(error, "orig", None)
    too_large = str(getattr(reason, "sqlstate", None) or "").startswith(PROGRAM_LIMIT)
    return too_large or NO_TYPE in str(reason)


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _insert_values(connection: Connection, rows: str) -> None:
    """Insert the rows of a JSON array into SQLite; its own functions for JSON take thrice as long.

    Raises `ValueError` and `OverflowError` for what is no array of rows.
    """
    values = json.loads(rows)
    start = 0
    for count in ROWS_PER_STATEMENT:
        while start + count <= len(values):
            some = values[start : start + count]
            connection.exec_driver_sql(_statement_of(count), _row_values(some))
            start += count


def _row_values(rows: Sequence[Any]) -> Sequence[Any]:
    """Return the values of rows; one of another version may have fewer or more."""
    values: list[Any] = []
    for row in rows:
        if type(row) is not list:
            raise ValueError("not a row")
        if len(row) != len(COLUMNS):
            row = [*row, *[None] * len(COLUMNS)][: len(COLUMNS)]
        values += row
    return tuple(values)


@cache
def _statement_of(rows: int) -> str:
    marks = f"({','.join('?' * len(COLUMNS))})"
    return (
        f"INSERT INTO {JOURNAL.name} ({','.join(COLUMNS)}) VALUES {','.join([marks] * rows)}"
        " ON CONFLICT (id) DO NOTHING"
    )


def _insert_json(connection: Connection, rows: str) -> None:
    """Insert the rows of a JSON array into PostgreSQL, which takes it apart."""
    connection.execute(_json_statement(), {"rows": rows})


@cache
def _json_statement() -> Any:
    rows = bindparam("rows", type_=Text)
    element = func.jsonb_array_elements(cast(rows, postgresql.JSONB)).column_valued("element")
    values = [
        cast(element.op("->>")(number), NUMBERS.get(name, Text))
        for number, name in enumerate(COLUMNS)
    ]
    full = postgresql.insert(JOURNAL).from_select(list(COLUMNS), select(*values))
    return full.on_conflict_do_nothing(index_elements=["id"])


def _read_only_mode(path: str) -> str:
    """Return how to open a file where nothing can be written.

    A file without a log of its own is complete; SQLite would want to make one to read it.
    """
    try:
        has_log = os.path.getsize(f"{path}-wal") > 0
    except OSError:
        has_log = False
    return "mode=ro" if has_log else "mode=ro&immutable=1"


def _let_shrink(connection: Any, _record: Any) -> None:
    """Make a new file one that can become smaller; one with tables stays as it is."""
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
