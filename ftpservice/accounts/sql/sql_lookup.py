"""The accounts of a database, as logins and the watch use them.

A login is one query by the primary key, and one for the groups of the account, if the store has
groups. What concerns all accounts, which roots have a quota and what the hashes cost, is kept in
memory and read again when something has changed.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from threading import Lock
from typing import Any

from sqlalchemy import or_, select, true
from zope.interface import implementer

from ftpservice.accounts.account_record import AccountRecord, check_owner, unusable_record
from ftpservice.accounts.account_store import FoundAccount, IAccountLookup
from ftpservice.accounts.groups.group_names import GROUP_MARK, is_group
from ftpservice.accounts.groups.home_template import has_fields
from ftpservice.accounts.groups.inheritance import DEFAULT_GROUP, AccountGroups
from ftpservice.accounts.passwd_line import parse_root
from ftpservice.accounts.password_hash import DecoyHashes
from ftpservice.accounts.quota_roots import QuotaRoots
from ftpservice.accounts.sql.account_rows import (
    claims_of,
    groups_of,
    is_storable,
    record_of,
    row_of,
)
from ftpservice.accounts.sql.change_signal import ChangeSignal
from ftpservice.accounts.sql.database import Database
from ftpservice.accounts.sql.database_url import DatabaseURL
from ftpservice.accounts.sql.schema import ACCOUNTS

__all__ = ["LOOKUP_SECONDS", "SQLLookup"]

LOOKUP_SECONDS = 2.0
"""How long a statement may take."""
CONNECTIONS = 8
SUMMARY_SECONDS = 1.0
"""How old what is known of all accounts may be before the database is asked for changes."""
DECOY_SECONDS = 600.0
"""Time between two looks at what the hashes of all accounts cost."""
LONG_READ_SECONDS = 0.1
PAUSE_FACTOR = 4.0
"""After a longer read of the quotas of all accounts, the least time to the next one, in durations
of the last (processor time): many changes of many accounts take a fifth of a core at most."""
NAMES_PER_QUERY = 500
PLACE_COLUMNS = (ACCOUNTS.c.root, ACCOUNTS.c.options)
"""The columns that say where the files of an account are."""
TEMPLATE = row_of(AccountRecord("any", DecoyHashes().hash_for("")))
"""The other columns, where only the places matter."""
DEFAULTS_NAME = GROUP_MARK + DEFAULT_GROUP
IS_GROUP = ACCOUNTS.c.name.like(f"{GROUP_MARK}%")
QUOTA_COLUMNS = (ACCOUNTS.c.quota_bytes, ACCOUNTS.c.quota_files)


@implementer(IAccountLookup)
class SQLLookup:
    """The accounts of one database; nothing is connected before the first call."""

    def __init__(self, url: DatabaseURL) -> None:
        self.place = url.place
        self._database = Database(url, LOOKUP_SECONDS, CONNECTIONS)
        self._signal = ChangeSignal(self._database)
        self._lock = Lock()
        """Held while the signal is asked, and what depends on it is read."""
        self._records: dict[str, AccountRecord | None] = {}
        """The records of the names of the last `current`."""
        self._quota_roots = QuotaRoots()
        self._groups: AccountGroups[AccountRecord] = AccountGroups({})
        self._claimed: dict[str, str] = {}
        """The names by which accounts of other names own files."""
        self._decoys = DecoyHashes()
        self._decoys_at = self._asked_at = self._next_read = float("-inf")
        self._are_groups_stale = self._is_stale = True
        """Whether something has changed since the groups, and the quotas, were read."""

    def look_up(
        self,
        name: str,
        password: bytes | None,  # noqa: ARG002 - the service checks the hash
    ) -> FoundAccount:
        """Return the account of a name; its hash is left to the caller."""
        with self._database.calls.running():
            self._refresh_summary()
            if not is_storable(name) or is_group(name):
                return FoundAccount()
            rows = self._rows([name, DEFAULTS_NAME])
            row = next((row for row in rows if row["name"] == name), None)
            try:
                record = None if row is None else record_of(row)
                named = record.groups if record is not None else ()
                if named or self._groups.groups:  # an unknown name takes as long as a known one
                    rows += self._rows([GROUP_MARK + group for group in named])
                if record is None:
                    return FoundAccount()
                check_owner(record, self._claimed)
                record = groups_of(rows).resolved(record)
            except ValueError as error:
                closed = replace(unusable_record(name), password_hash=self.decoy_hash(name))
                return FoundAccount(closed, None, str(error))
        return FoundAccount(replace(record, shares_quota=self._quota_roots.may_share(record)))

    def decoy_hash(self, name: str) -> str:
        """Return the hash to check for an unknown name."""
        return self._decoys.hash_for(name)

    def current(self, names: Collection[str]) -> Mapping[str, AccountRecord]:
        """Return the records of these names; without a change no row is read again."""
        with self._database.calls.running(), self._lock:
            self._ask_signal()
            self._read_summary()
            self._records = {name: self._records[name] for name in names if name in self._records}
            missing = [name for name in names if name not in self._records]
            for start in range(0, len(missing), NAMES_PER_QUERY):
                self._read(missing[start : start + NAMES_PER_QUERY])
            return {name: found for name, found in self._records.items() if found is not None}

    def problems(self) -> Sequence[str]:
        """Return none, if the database can be used."""
        self.current(())
        return ()

    def interrupt(self, seconds: float) -> None:
        """Make the calls end that have run for longer than this."""
        self._database.calls.interrupt(seconds)

    def close(self) -> None:
        """Close the connections."""
        self._signal.close()
        self._database.close()

    def _ask_signal(self) -> None:
        """Forget what is known if there were changes; the lock is held."""
        asked_at = time.monotonic()
        if self._signal.has_changed():
            self._records.clear()
            self._are_groups_stale = self._is_stale = True
        self._asked_at = asked_at

    def _refresh_summary(self) -> None:
        """Read the quotas and the costs again, if they may have changed.

        One thread does it; the others use what was known before, but for the first time.
        """
        now = time.monotonic()
        if now <= self._asked_at + SUMMARY_SECONDS and not self._is_stale:
            return
        is_first = self._asked_at == float("-inf")
        if not self._lock.acquire(blocking=is_first):
            return
        try:
            if now > self._asked_at + SUMMARY_SECONDS:
                self._ask_signal()
            self._read_summary()
        finally:
            self._lock.release()

    def _read_summary(self) -> None:
        """Read what concerns all accounts, if it may have changed; the lock is held."""
        if self._are_groups_stale:
            wanted = or_(IS_GROUP, ACCOUNTS.c.options.like("%owner=%"))
            rows = self._database.read(select(ACCOUNTS).where(wanted))
            self._groups, self._claimed = groups_of(rows), claims_of(rows)
            self._are_groups_stale = False
        if not self._is_stale or time.monotonic() < self._next_read:
            return
        began = time.thread_time()
        places = list(self._places_with_quota())
        self._quota_roots = QuotaRoots(places, any(has_fields(one.root) for one in places))
        now = time.monotonic()
        if now > self._decoys_at + DECOY_SECONDS:
            hashes = self._database.read(select(ACCOUNTS.c.password_hash))
            self._decoys = DecoyHashes(str(row["password_hash"]) for row in hashes)
            self._decoys_at = now
        self._is_stale = False
        duration = time.thread_time() - began
        if duration > LONG_READ_SECONDS:
            self._next_read = time.monotonic() + PAUSE_FACTOR * duration

    def _read(self, names: list[str]) -> None:
        self._records |= dict.fromkeys(names)
        for row in self._rows(names):
            try:
                record = record_of(row)
                check_owner(record, self._claimed)
                self._records[row["name"]] = self._groups.resolved(record)
            except ValueError:
                self._records[row["name"]] = unusable_record(row["name"])

    def _rows(self, names: Collection[str]) -> list[dict[str, Any]]:
        return self._database.read(select(ACCOUNTS).where(ACCOUNTS.c.name.in_(names)))

    def _places_with_quota(self) -> Iterable[AccountRecord]:
        """Yield a record for each root and options of accounts with a quota, own or inherited."""
        accounts = select(*PLACE_COLUMNS).where(~IS_GROUP).distinct()
        has_quota = or_(*(column.is_not(None) for column in QUOTA_COLUMNS))
        rows = self._database.read(accounts.where(has_quota))
        for place in self._places(rows):
            yield replace(place, quota_files=1)
        groups = self._groups.groups.items()
        with_quota = {name for name, one in groups if one.quota_bytes or one.quota_files}
        if with_quota:
            named = true() if DEFAULT_GROUP in with_quota else ACCOUNTS.c.options.like("%group=%")
            places = self._places(self._database.read(accounts.where(named)))
            yield from (one for one in places if one.quota_bytes or one.quota_files)

    def _places(self, rows: Iterable[Mapping[str, Any]]) -> Iterable[AccountRecord]:
        """Yield a record for each row; most have the same options, which are parsed once."""
        by_options: dict[str, AccountRecord] = {}
        for row in rows:
            options, root = str(row["options"]), str(row["root"])
            with suppress(ValueError):
                if options not in by_options:
                    by_options[options] = record_of({**TEMPLATE, "options": options})
                root = parse_root(root) if root else ""
                yield self._groups.outline(replace(by_options[options], root=root))
