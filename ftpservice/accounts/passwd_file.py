"""The contents of a ``passwd.db``, and the file on disk: read again when it has changed.

Empty lines and lines that begin with ``#`` are ignored. A malformed line is reported with its
number and disables its account only, or the accounts of its group. Of two lines with the same name
the first one counts; the second is reported. The last line must end with a line end, so that a
truncated file grants nothing.

The file is never read on the reactor thread. The contents are one immutable value that is replaced
as a whole, so threads may refresh and look up at the same time.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from operator import itemgetter
from threading import Lock
from types import MappingProxyType

from ftpservice.accounts.account_record import (
    AccountRecord,
    check_owner,
    claimed_owners,
    unusable_record,
)
from ftpservice.accounts.account_store import InvalidAccount, UnusableAccount
from ftpservice.accounts.file_changes import FileChanges
from ftpservice.accounts.groups.group_names import GROUP_MARK, is_group, listed_accounts
from ftpservice.accounts.groups.inheritance import ROOT_TAKEN_TEXT, TOP_ROOT, AccountGroups
from ftpservice.accounts.passwd_line import parse_line
from ftpservice.accounts.password_hash import DecoyHashes
from ftpservice.accounts.quota_roots import with_shared_quotas

__all__ = [
    "MAX_FILE_BYTES",
    "MalformedLine",
    "PasswdContents",
    "PasswordFile",
    "parse",
    "require_usable",
]

MAX_FILE_BYTES = 64 * 1024 * 1024
UNSTABLE_NS = 1_000_000_000
"""A file that changed so recently may change again with the same time; it is read once more."""

FileVersion = tuple[int, int, int]


@dataclass(frozen=True)
class MalformedLine:
    """A line that cannot be used, and why."""

    line_number: int
    reason: str
    name: str = ""
    """The account or group that it disables; empty if the line has no name."""

    def __str__(self) -> str:
        return f"line {self.line_number}: {self.reason}"


@dataclass(frozen=True)
class PasswdContents:
    """The contents of a file."""

    accounts: Mapping[str, AccountRecord]
    """The usable accounts with what they inherit, in the order of the file."""
    malformed: tuple[MalformedLine, ...] = ()
    unresolved: Mapping[str, str] = field(default_factory=dict)
    """Why accounts whose line is well-formed cannot be used: their groups."""
    closed: frozenset[str] = frozenset()
    """The names of accounts that a malformed line or a group disables."""
    decoys: DecoyHashes = field(default_factory=DecoyHashes)
    """The hashes to check for unknown names."""
    entries: Mapping[str, AccountRecord] = field(default_factory=dict, repr=False)
    """The accounts and groups as their lines have them, by the name in the line."""
    records_by_line: Mapping[str, AccountRecord] = field(default_factory=dict, repr=False)
    """The entries by the text of their line, for `parse` of the changed file."""

    def lookup(self, name: str) -> AccountRecord | None:
        """Return the record of ``name``; one that cannot be used is returned as disabled."""
        record = self.accounts.get(name)
        if record is None and name in self.closed:
            return replace(unusable_record(name), password_hash=self.decoys.hash_for(name))
        return record

    def unusable(self, name: str) -> str:
        """Return why an account that is ``closed`` cannot be used."""
        lines = [str(line) for line in self.malformed if line.name == name]
        if name in self.unresolved:
            lines.append(self.unresolved[name])
        return "; ".join(lines)

    def unusable_accounts(self) -> list[UnusableAccount]:
        """Return the accounts and groups that cannot be used, in the order of the file."""
        found: dict[str, tuple[int, UnusableAccount]] = {}
        for line in self.malformed:
            if line.name and line.name not in self.entries:
                unusable = UnusableAccount(unusable_record(line.name), str(line))
                found.setdefault(line.name, (line.line_number, unusable))
        for name, reason in self.unresolved.items():
            found[name] = self.entries[name].line, UnusableAccount(self.entries[name], reason)
        return [unusable for _, unusable in sorted(found.values(), key=itemgetter(0))]

    def problems(self) -> list[str]:
        """Return a line for each malformed line, and for each reason that disables accounts."""
        names: dict[str, list[str]] = {}
        for name, reason in self.unresolved.items():
            names.setdefault(reason, []).append(name)
        return [
            *map(str, self.malformed),
            *(f"{listed_accounts(some)} cannot log in: {reason}" for reason, some in names.items()),
        ]


def parse(text: str, previous: PasswdContents | None = None) -> PasswdContents:
    """Parse a whole file; never raises.

    Lines that are in the ``previous`` contents are not parsed again: with 50,000 accounts that
    would take a second after each change of one of them.
    """
    known = previous.records_by_line if previous is not None else {}
    by_line: dict[str, AccountRecord] = {}
    entries: dict[str, AccountRecord] = {}
    bad: list[MalformedLine] = []
    first: dict[str, int] = {}
    lines = text.removeprefix("\ufeff").split("\n")
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name = line.partition(":")[0]
        try:
            if number == len(lines):
                raise ValueError("the last line has no line end; the file may be truncated")
            record = known.get(line) or parse_line(line.rstrip(), number)
            if name in first:
                before = first[name]
                raise ValueError(f"{name!r} is in line {before} already; the first line counts")
            if record.line != number:
                record = replace(record, line=number)
            entries[name] = by_line[line] = record
        except ValueError as error:
            bad.append(MalformedLine(number, str(error), name))
        first.setdefault(name, number)
    accounts, unresolved = _resolved(entries, bad)
    decoys = DecoyHashes(record.password_hash for record in accounts.values())
    closed = {line.name for line in bad if not is_group(line.name)} | unresolved.keys()
    return PasswdContents(
        MappingProxyType(with_shared_quotas(accounts)),
        tuple(bad),
        unresolved,
        frozenset(closed - accounts.keys()),
        decoys,
        entries,
        by_line,
    )


def _resolved(
    entries: Mapping[str, AccountRecord], bad: list[MalformedLine]
) -> tuple[dict[str, AccountRecord], dict[str, str]]:
    """Return the accounts with what they inherit, and why others cannot be used."""
    groups = AccountGroups(
        {name.removeprefix(GROUP_MARK): one for name, one in entries.items() if is_group(name)},
        {
            line.name.removeprefix(GROUP_MARK): str(line)
            for line in bad
            if is_group(line.name) and line.name not in entries
        },
    )
    accounts: dict[str, AccountRecord] = {}
    unresolved: dict[str, str] = {}
    claimed = claimed_owners(entries.values())
    for name, record in entries.items():
        if not is_group(name):
            try:
                check_owner(record, claimed)
                accounts[name] = groups.resolved(record)
            except ValueError as error:
                unresolved[name] = str(error)
    return accounts, unresolved


def require_usable(
    place: str, before: PasswdContents, after: PasswdContents, may_disable: bool
) -> None:
    """Raise `InvalidAccount` if a change disables accounts by what they inherit, and must not.

    Also if it would give an account the root of the service in place of an inherited one, or of
    the unknown one of an account that could not be used before.
    """
    reasons = after.unresolved
    disabled = [name for name in reasons if before.unresolved.get(name) != reasons[name]]
    if disabled and not may_disable:
        names, reason = listed_accounts(disabled), reasons[disabled[0]]
        raise InvalidAccount(f"{place}: {names} could not log in: {reason}")
    taken = [
        name
        for name, one in after.accounts.items()
        if one.root == TOP_ROOT
        and not after.entries[name].root
        and (
            "root" not in dict(one.inherited)
            if name in before.unresolved
            else before.accounts.get(name, one).root != TOP_ROOT
        )
    ]
    if taken:
        raise InvalidAccount(f"{place}: {listed_accounts(taken)} {ROOT_TAKEN_TEXT}")


class PasswordFile:
    """The accounts in one file, as of the last `refresh`.

    ``report`` is called with each error in the file as a line for the log, once for each change of
    the file, in the thread of `refresh`.
    """

    def __init__(self, path: str, report: Callable[[str], object]) -> None:
        self.path = os.path.abspath(path)
        self._report = report
        self.changes = FileChanges()
        """Whether the file has changed since."""
        self._lock = Lock()
        self._version: FileVersion | None = None
        self.contents = parse("")
        """The contents when the file was last readable."""
        self._reported: tuple[str, ...] = ()

    def load(self) -> PasswdContents:
        """Read the file (blocks); raises `OSError` when it cannot be read."""
        with self._lock:
            self.changes.reading(self.path)
            self._read()
            self.changes.read()
            return self.contents

    def refresh(self) -> PasswdContents:
        """Read the file if it changed (blocks); an unreadable file leaves the previous contents."""
        with self._lock:
            try:
                self.changes.reading(self.path)
                if self._version is None or _version(os.stat(self.path)) != self._version:
                    self._read()
                self.changes.read()
            except OSError as error:
                self._version = None
                reason = error.strerror or str(error)
                self._report_changes(
                    (f"{self.path}: {reason}; the previous accounts stay in force",)
                )
            return self.contents

    def lookup(self, name: str) -> AccountRecord | None:
        """Return the record of ``name``, from memory."""
        return self.contents.lookup(name)

    def _read(self) -> None:
        data, self._version = _read_stable(self.path)
        self.contents = parse(data.decode("utf-8", "surrogateescape"), self.contents)
        self._report_changes(
            (*self._warning(), *(f"{self.path}, {line}" for line in self.contents.problems()))
        )

    def _warning(self) -> tuple[str, ...]:
        """Return a line if the file has no accounts: emptied by mistake, or not filled yet."""
        if self.contents.accounts:
            return ()
        return (f"{self.path}: no usable account, no login is possible with it",)

    def _report_changes(self, texts: tuple[str, ...]) -> None:
        if texts != self._reported:
            self._reported = texts
            for text in texts:
                self._report(text)


def _read_stable(path: str) -> tuple[bytes, FileVersion | None]:
    """Return the data of a file, and its version; None if it may still change."""
    with open(path, "rb", opener=_open_nonblocking) as file:
        before = os.fstat(file.fileno())
        if not stat.S_ISREG(before.st_mode):
            raise OSError("it is not a regular file")
        data = file.read(MAX_FILE_BYTES + 1)
        after = os.fstat(file.fileno())
    if len(data) > MAX_FILE_BYTES:
        raise OSError(f"it is larger than {MAX_FILE_BYTES} bytes")
    is_stable = abs(time.time_ns() - after.st_mtime_ns) > UNSTABLE_NS
    return data, _version(after) if is_stable and _version(before) == _version(after) else None


def _open_nonblocking(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC | os.O_NONBLOCK)


def _version(status: os.stat_result) -> FileVersion:
    return status.st_mtime_ns, status.st_size, status.st_ino
