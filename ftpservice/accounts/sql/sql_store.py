"""The accounts of a database, as the command ``ftpservice user`` lists and changes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, delete, insert, select, text, update
from zope.interface import implementer

from ftpservice.accounts.account_record import AccountRecord
from ftpservice.accounts.account_store import (
    AccountExists,
    ExistingAccounts,
    IAccountStore,
    InvalidAccount,
    NoSuchAccount,
)
from ftpservice.accounts.sql.account_rows import is_storable, record_of, row_of
from ftpservice.accounts.sql.database import Database
from ftpservice.accounts.sql.database_url import DatabaseURL
from ftpservice.accounts.sql.schema import ACCOUNTS

__all__ = ["SQLStore"]

STATEMENT_SECONDS = 30.0
"""How long a change may wait for others, and take."""
NAMES_PER_QUERY = 500


@implementer(IAccountStore)
class SQLStore:
    """The accounts of one database; nothing is connected before the first call."""

    def __init__(self, url: DatabaseURL) -> None:
        self.place = url.place
        self.database = Database(url, STATEMENT_SECONDS)

    def accounts(self) -> Sequence[AccountRecord]:
        """Return all usable accounts, by name."""
        return tuple(record for record in self._parsed() if isinstance(record, AccountRecord))

    def problems(self) -> Sequence[str]:
        """Return a line for each row that cannot be used."""
        return [line for line in self._parsed() if isinstance(line, str)]

    def find(self, name: str) -> AccountRecord:
        """Return an account; raises `NoSuchAccount`, `InvalidAccount` for an unusable row."""
        with self._transaction() as connection:
            return self._found(connection, name)

    def add(self, record: AccountRecord) -> None:
        """Add an account; raises `AccountExists`, `InvalidAccount`."""
        self.add_many([record])

    def add_many(
        self,
        records: Sequence[AccountRecord],
        existing: ExistingAccounts = ExistingAccounts.REFUSE,
        dry_run: bool = False,
    ) -> Sequence[AccountRecord]:
        """Add or replace accounts in one transaction; raises as `IAccountStore.add_many`."""
        rows = {record.name: row_of(record) for record in records}
        if len(rows) < len(records):
            raise InvalidAccount("two of the accounts have the same name")
        with self._transaction(writes=not dry_run) as connection:
            held = self._held(connection, list(rows))
            if held and existing is ExistingAccounts.REFUSE:
                raise self._exists(held)
            if existing is ExistingAccounts.SKIP:
                rows = {name: row for name, row in rows.items() if name not in held}
            if not dry_run:
                for name in held & rows.keys():
                    connection.execute(update(ACCOUNTS).where(ACCOUNTS.c.name == name), rows[name])
                new = [row for name, row in rows.items() if name not in held]
                if new:
                    connection.execute(insert(ACCOUNTS), new)
        return [record for record in records if record.name in rows]

    def replace_hashes(self, hashes: Mapping[str, tuple[str, str]]) -> Sequence[str]:
        """Replace hashes that are still the given ones; nothing else is written."""
        changed = []
        with self.database.transaction(writes=True) as connection:
            for name, (old, new) in hashes.items():
                column = ACCOUNTS.c.password_hash
                of_name = (ACCOUNTS.c.name == name) & (column == old)
                done = connection.execute(update(ACCOUNTS).where(of_name).values({column: new}))
                if done.rowcount:
                    changed.append(name)
        return changed

    def change(self, name: str, changes: Mapping[str, Any]) -> AccountRecord:
        """Change the row of an account; raises as `IAccountStore.change`."""
        with self._transaction(writes=True) as connection:
            record = replace(self._found(connection, name), **changes)
            row = row_of(record)
            if record.name != name and self._held(connection, [record.name]):
                raise self._exists({record.name})
            connection.execute(update(ACCOUNTS).where(ACCOUNTS.c.name == name), row)
        return record

    def remove(self, name: str) -> None:
        """Remove the row of a name, also an unusable one; raises `NoSuchAccount`."""
        with self._transaction(writes=True) as connection:
            if not self._held(connection, [name]):
                raise self._unknown(name)
            connection.execute(delete(ACCOUNTS).where(ACCOUNTS.c.name == name))

    @contextmanager
    def _transaction(self, writes: bool = False) -> Iterator[Connection]:
        """Begin a transaction; one that writes waits for others that do."""
        with self.database.transaction(writes) as connection:
            if writes and not self.database.is_sqlite:
                table = ACCOUNTS.name
                connection.execute(text(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE"))
            yield connection

    def _parsed(self) -> Iterator[AccountRecord | str]:
        """Yield the record of each row, or why it cannot be used."""
        for row in self.database.read(select(ACCOUNTS).order_by(ACCOUNTS.c.name)):
            try:
                yield record_of(row)
            except ValueError as error:
                yield f"{self.place}, account {row['name']!r}: {error}"

    def _found(self, connection: Connection, name: str) -> AccountRecord:
        if not is_storable(name):
            raise self._unknown(name)
        rows = connection.execute(select(ACCOUNTS).where(ACCOUNTS.c.name == name)).mappings().all()
        if not rows:
            raise self._unknown(name)
        try:
            return record_of(dict(rows[0]))
        except ValueError as error:
            raise InvalidAccount(
                f"{self.place}, account {name!r}: {error}; correct it or remove the account"
            ) from None

    def _held(self, connection: Connection, names: Sequence[str]) -> set[str]:
        """Return those of these names that have a row."""
        held: set[str] = set()
        storable = [name for name in names if is_storable(name)]
        for start in range(0, len(storable), NAMES_PER_QUERY):
            some = ACCOUNTS.c.name.in_(storable[start : start + NAMES_PER_QUERY])
            held |= set(connection.execute(select(ACCOUNTS.c.name).where(some)).scalars())
        return held

    def _unknown(self, name: str) -> NoSuchAccount:
        return NoSuchAccount(f"{self.place} has no account {name!r}")

    def _exists(self, held: set[str]) -> AccountExists:
        names = sorted(held)
        if len(names) == 1:
            return AccountExists(f"{self.place} has an account {names[0]!r} already", names)
        return AccountExists(f"{self.place} has {len(names)} of the accounts already", names)
