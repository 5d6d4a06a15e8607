"""The accounts of a database, as the command ``ftpservice user`` lists and changes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

from sqlalchemy import Connection, delete, insert, select, text, update
from zope.interface import implementer

from ftpservice.accounts.account_record import AccountRecord, unusable_record, with_free_owner
from ftpservice.accounts.account_store import (
    AccountExists,
    AccountListing,
    ExistingAccounts,
    GroupInUse,
    IInterruptibleStore,
    InvalidAccount,
    NoSuchAccount,
    UnusableAccount,
)
from ftpservice.accounts.groups.group_names import (
    GROUP_MARK,
    described,
    is_group,
    listed_accounts,
)
from ftpservice.accounts.groups.inheritance import (
    DEFAULT_GROUP,
    ROOT_TAKEN_TEXT,
    AccountGroups,
    with_changes,
)
from ftpservice.accounts.sql.account_rows import (
    claims_of,
    groups_of,
    is_storable,
    record_of,
    row_of,
)
from ftpservice.accounts.sql.database import Database
from ftpservice.accounts.sql.database_url import DatabaseURL
from ftpservice.accounts.sql.schema import ACCOUNTS

__all__ = ["SQLStore"]

STATEMENT_SECONDS = 30.0
"""How long a change may wait for others, and take."""
NAMES_PER_QUERY = 500
NAMES_GROUPS = ACCOUNTS.c.options.like("%group=%")
NAMES_OWNER = ACCOUNTS.c.options.like("%owner=%")
IS_GROUP = ACCOUNTS.c.name.like(f"{GROUP_MARK}%")

Groups = AccountGroups[AccountRecord]


@implementer(IInterruptibleStore)
class SQLStore:
    """The accounts of one database; nothing is connected before the first call."""

    def __init__(self, url: DatabaseURL) -> None:
        self.place = url.place
        self.database = Database(url, STATEMENT_SECONDS)
        self.interrupt = partial(self.database.calls.interrupt, 0.0)

    def listing(self) -> AccountListing:
        """Return all usable accounts, by name, and a line for each row that cannot be used."""
        records: list[AccountRecord] = []
        unusable: list[UnusableAccount] = []
        for found in self._parsed():
            if isinstance(found, UnusableAccount):
                unusable.append(found)
            elif not is_group(found.name):
                records.append(found)
        lines = [f"{self.place}, {described(one.record.name)}: {one.reason}" for one in unusable]
        return AccountListing(tuple(records), lines, unusable)

    def accounts(self) -> Sequence[AccountRecord]:
        """Return all usable accounts with what they inherit, by name."""
        return self.listing().accounts

    def groups(self) -> Sequence[AccountRecord]:
        """Return all usable groups, by name."""
        found = self._parsed(IS_GROUP)
        return tuple(one for one in found if isinstance(one, AccountRecord))

    def members(self, group: str) -> Sequence[str]:
        """Return the names of the accounts that name a group."""
        with self._transaction() as connection:
            return _members(connection, group.removeprefix(GROUP_MARK))

    def problems(self) -> Sequence[str]:
        """Return a line for each row that cannot be used."""
        return self.listing().problems

    def find(self, name: str) -> AccountRecord:
        """Return an account with what it inherits; raises as `IAccountStore.find`."""
        with self._transaction() as connection:
            record = _found(self.place, connection, name)
            if is_group(name):
                return record
            try:
                return _groups(connection).resolved(record)
            except ValueError as error:
                raise InvalidAccount(f"{self.place}, account {name!r}: {error}") from None

    def add(self, record: AccountRecord) -> None:
        """Add an account or a group; raises `AccountExists`, `InvalidAccount`."""
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
            found = connection.execute(select(ACCOUNTS).where(NAMES_OWNER)).mappings()
            claimed = claims_of([dict(row) for row in found])
            records = [with_free_owner(record, claimed) for record in records]
            rows = {record.name: row_of(record) for record in records}
            held = _held(connection, list(rows))
            if held and existing is ExistingAccounts.REFUSE:
                raise _exists(self.place, held)
            before = _groups(connection)
            if existing is ExistingAccounts.SKIP:
                rows = {name: row for name, row in rows.items() if name not in held}
            if not dry_run:
                for name in held & rows.keys():
                    connection.execute(update(ACCOUNTS).where(ACCOUNTS.c.name == name), rows[name])
                new = [row for name, row in rows.items() if name not in held]
                if new:
                    connection.execute(insert(ACCOUNTS), new)
            written = [record for record in records if record.name in rows]
            self._require_usable(connection, before, before.with_groups(written), written)
        return written

    def replace_hashes(self, hashes: Mapping[str, tuple[str, str]]) -> Sequence[str]:
        """Replace hashes that are still the given ones; nothing else is written."""
        changed = []
        with self.database.transaction(writes=True) as connection:
            for name, (old, new) in hashes.items():
                column = ACCOUNTS.c.password_hash
                of_name = (ACCOUNTS.c.name == name) & (column == old) & ~IS_GROUP
                done = connection.execute(update(ACCOUNTS).where(of_name).values({column: new}))
                if done.rowcount:
                    changed.append(name)
        return changed

    def change(self, name: str, changes: Mapping[str, Any]) -> AccountRecord:
        """Change the row of an account; raises as `IAccountStore.change`."""
        with self._transaction(writes=True) as connection:
            found, before = _found(self.place, connection, name), _groups(connection)
            record = with_changes(found, changes, before.has_defaults)
            row = row_of(record)
            if record.name != name and _held(connection, [record.name]):
                raise _exists(self.place, {record.name})
            connection.execute(update(ACCOUNTS).where(ACCOUNTS.c.name == name), row)
            after = before
            if is_group(name):
                rest = before.without_group(name.removeprefix(GROUP_MARK))
                after = rest.with_groups([record])
            elif after.takes_root(record, before, found):
                raise InvalidAccount(f"{self.place}: {described(name)} {ROOT_TAKEN_TEXT}")
            if is_group(name) or before.problem(record) != before.problem(found):
                self._require_usable(connection, before, after, [record])
        return record if is_group(name) or after.problem(record) else after.resolved(record)

    def remove(self, name: str, force: bool = False) -> None:
        """Remove the row of a name, also an unusable one; see `IAccountStore`."""
        with self._transaction(writes=True) as connection:
            if not _held(connection, [name]):
                raise _unknown(self.place, name)
            if is_group(name):
                group = name.removeprefix(GROUP_MARK)
                members = [] if force else _members(connection, group)
                if members:
                    raise GroupInUse(self.place, group, members)
                before = _groups(connection)
                after = before.without_group(group)
                self._require_usable(connection, before, after, [], may_disable=force)
            connection.execute(delete(ACCOUNTS).where(ACCOUNTS.c.name == name))

    @contextmanager
    def _transaction(self, writes: bool = False) -> Iterator[Connection]:
        """Begin a transaction; one that writes waits for others that do."""
        with self.database.transaction(writes) as connection:
            if writes and not self.database.is_sqlite:
                table = ACCOUNTS.name
                connection.execute(text(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE"))
            yield connection

    def _parsed(self, where: Any = True) -> Iterator[AccountRecord | UnusableAccount]:
        """Yield the record of each row, or why it cannot be used."""
        rows = self.database.read(select(ACCOUNTS).where(where).order_by(ACCOUNTS.c.name))
        groups = groups_of(rows)
        for row in rows:
            record = unusable_record(str(row["name"]))
            try:
                record = record_of(row)
                yield record if is_group(record.name) else groups.resolved(record)
            except ValueError as error:
                yield UnusableAccount(record, str(error))

    def _require_usable(
        self,
        connection: Connection,
        before: Groups,
        after: Groups,
        written: Sequence[AccountRecord],
        may_disable: bool = False,
    ) -> None:
        """Raise `InvalidAccount` if accounts could not log in by what they inherit.

        Also if an account would get the root of the service. The accounts are those of
        ``written``, and of groups that are different ``after`` a change.
        """
        disabled = {one.name: after.problem(one) for one in written if not is_group(one.name)}
        for record in _members_of_changed(connection, before, after):
            reason, former = after.problem(record), before.problem(record)
            is_new = record.name in disabled and former
            if reason != former:
                disabled.setdefault(record.name, reason)
            if not is_new and after.takes_root(record, before, record):
                raise InvalidAccount(f"{self.place}: {described(record.name)} {ROOT_TAKEN_TEXT}")
        disabled = {name: reason for name, reason in disabled.items() if reason}
        if disabled and not may_disable:
            names, reason = listed_accounts(list(disabled)), next(iter(disabled.values()))
            raise InvalidAccount(f"{self.place}: {names} could not log in: {reason}")


def _found(place: str, connection: Connection, name: str) -> AccountRecord:
    if not is_storable(name):
        raise _unknown(place, name)
    rows = connection.execute(select(ACCOUNTS).where(ACCOUNTS.c.name == name)).mappings().all()
    if not rows:
        raise _unknown(place, name)
    try:
        return record_of(dict(rows[0]))
    except ValueError as error:
        raise InvalidAccount(
            f"{place}, account {name!r}: {error}; correct it or remove the account"
        ) from None


def _unknown(place: str, name: str) -> NoSuchAccount:
    return NoSuchAccount(f"{place} has no {described(name)}")


def _exists(place: str, held: set[str]) -> AccountExists:
    names = sorted(held)
    if len(names) == 1:
        article = "a" if is_group(names[0]) else "an"
        return AccountExists(f"{place} has {article} {described(names[0])} already", names)
    return AccountExists(f"{place} has {len(names)} of the accounts already", names)


def _groups(connection: Connection) -> Groups:
    rows = connection.execute(select(ACCOUNTS).where(IS_GROUP)).mappings()
    return groups_of(map(dict, rows))


def _held(connection: Connection, names: Sequence[str]) -> set[str]:
    """Return those of these names that have a row."""
    held: set[str] = set()
    storable = [name for name in names if is_storable(name)]
    for start in range(0, len(storable), NAMES_PER_QUERY):
        some = ACCOUNTS.c.name.in_(storable[start : start + NAMES_PER_QUERY])
        held |= set(connection.execute(select(ACCOUNTS.c.name).where(some)).scalars())
    return held


def _members(connection: Connection, group: str) -> list[str]:
    """Return the names of the accounts that name a group."""
    columns = select(ACCOUNTS.c.name, ACCOUNTS.c.options)
    named = columns.where(NAMES_GROUPS).order_by(ACCOUNTS.c.name)
    return [
        name
        for name, options in connection.execute(named)
        if f"group={group}" in (word.strip() for word in options.split(","))
    ]


def _members_of_changed(
    connection: Connection, before: Groups, after: Groups
) -> Iterator[AccountRecord]:
    """Yield the usable rows of the accounts whose groups have changed."""
    names = before.groups.keys() | after.groups.keys()
    changed = {name for name in names if before.groups.get(name) != after.groups.get(name)}
    if not changed:
        return
    wanted = ~IS_GROUP if DEFAULT_GROUP in changed else NAMES_GROUPS
    for row in connection.execute(select(ACCOUNTS).where(wanted)).mappings():
        with suppress(ValueError):
            record = record_of(dict(row))
            if DEFAULT_GROUP in changed or not changed.isdisjoint(record.groups):
                yield record
