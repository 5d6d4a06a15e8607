"""A ``passwd.db`` that is edited: atomically, one writer at a time, comments and order kept.

A change is written to a new file in the same directory, which replaces the old one when it is on
the disk. The lock is on the file that is replaced, so a writer that waited for it opens the path
again. A service that runs reads the file again at the next login.
"""

from __future__ import annotations

import fcntl
import os
import stat
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

from zope.interface import implementer

from ftpservice.accounts.account_record import AccountRecord, claimed_owners, with_free_owner
from ftpservice.accounts.account_store import (
    AccountExists,
    AccountListing,
    ExistingAccounts,
    GroupInUse,
    IAccountStore,
    InvalidAccount,
    NoSuchAccount,
    StoreUnavailable,
)
from ftpservice.accounts.groups.group_names import (
    GROUP_MARK,
    described,
    is_group,
)
from ftpservice.accounts.groups.inheritance import DEFAULT_GROUP, with_changes
from ftpservice.accounts.passwd_file import MAX_FILE_BYTES, PasswdContents, parse, require_usable
from ftpservice.accounts.passwd_line import format_line
from ftpservice.linux import read_regular_file

__all__ = ["PasswordFileStore"]

LOCK_SECONDS = 10.0
"""How long to wait for another writer."""
LOCK_RETRY_SECONDS = 0.02
PRIVATE_MODE = 0o600
BOM = "\ufeff"
NO_FILE_TEXT = "No such file; user add creates it, and --store or --config name another one"
HEADER = "# name:hash:root:rights:options"
"""The first line of a new file."""


Change = Callable[[list[str], PasswdContents], list[AccountRecord]]
"""Changes the lines of a file, the last of which is the empty one after the last line end; returns
the accounts that are new or different."""


@implementer(IAccountStore)
class PasswordFileStore:
    """The accounts of one file, which need not exist before the first account is added."""

    place = property(lambda self: os.path.realpath(self._path))
    """The file itself: where links lead now, as in a volume of a Kubernetes Secret."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = os.path.abspath(path)
        self._last: PasswdContents | None = None
        """The last contents: lines that are still there are not parsed again."""

    def groups(self) -> Sequence[AccountRecord]:
        """Return all usable groups, in the order of the file."""
        entries = self._contents().entries
        return tuple(record for name, record in entries.items() if is_group(name))

    def members(self, group: str) -> Sequence[str]:
        """Return the names of the accounts that name a group."""
        return _members(self._contents(), group.removeprefix(GROUP_MARK))

    def listing(self) -> AccountListing:
        """Return the accounts and the unusable entries; if others can read the file, its mode."""
        contents = self._contents()
        lines = [f"{self.place}, {line}" for line in contents.problems()]
        with suppress(OSError):
            mode = stat.S_IMODE(os.stat(self.place).st_mode)
            if mode & 0o007:
                lines.append(f"{self.place}: other users can read it (mode {mode:04o}; chmod 600)")
        accounts = tuple(contents.accounts.values())
        return AccountListing(accounts, lines, contents.unusable_accounts())

    def accounts(self) -> Sequence[AccountRecord]:
        """Return all usable accounts with what they inherit, in the order of the file."""
        return self.listing().accounts

    def problems(self) -> Sequence[str]:
        """Return the problems of the `listing`."""
        return self.listing().problems

    def find(self, name: str) -> AccountRecord:
        """Return an account with what it inherits; raises as `IAccountStore.find`."""
        contents = self._contents()
        entry = _entry(self.place, contents, name)
        if name in contents.unresolved:
            raise InvalidAccount(f"{self.place}, account {name!r}: {contents.unresolved[name]}")
        return contents.accounts.get(name, entry)

    def add(self, record: AccountRecord) -> None:
        """Add an account or a group; raises `AccountExists`, `InvalidAccount`."""
        _line(record)

        def change(lines: list[str], contents: PasswdContents) -> list[AccountRecord]:
            _require_free(self.place, contents, record.name)
            added = with_free_owner(record, claimed_owners(contents.entries.values()))
            _append(lines, [_line(added)])
            return [added]

        self._edit(change, may_create=True)

    def add_many(
        self,
        records: Sequence[AccountRecord],
        existing: ExistingAccounts = ExistingAccounts.REFUSE,
        dry_run: bool = False,
    ) -> Sequence[AccountRecord]:
        """Append or replace many accounts; raises as `IAccountStore.add_many`."""
        text_of = {record.name: _line(record) for record in records}
        if len(text_of) < len(records):
            raise InvalidAccount("two of the accounts have the same name")

        def change(lines: list[str], contents: PasswdContents) -> list[AccountRecord]:
            unusable = {line.name for line in contents.malformed} - contents.entries.keys()
            held = text_of.keys() & (contents.entries.keys() | unusable)
            if held and existing is ExistingAccounts.REFUSE:
                raise AccountExists(
                    f"{self.place} has {len(held)} of the accounts already", sorted(held)
                )
            if existing is ExistingAccounts.SKIP:
                for name in held:
                    del text_of[name]
            for name in text_of.keys() & contents.entries.keys():
                _set_line(lines, contents.entries[name].line - 1, text_of[name])
            _remove(lines, text_of.keys() & unusable)
            _append(lines, [line for name, line in text_of.items() if name not in contents.entries])
            return [record for record in records if record.name in text_of]

        if not dry_run:
            return self._edit(change, may_create=True)
        with _errors_at(self.place):
            return self._changed(_read(self.place, may_be_missing=True), change)[0]

    def replace_hashes(self, hashes: Mapping[str, tuple[str, str]]) -> Sequence[str]:
        """Replace the second field of lines; all else in them stays as it is."""

        def change(lines: list[str], contents: PasswdContents) -> list[AccountRecord]:
            changed = []
            for name, (old, new) in hashes.items():
                record = contents.entries.get(name)
                if record is not None and record.password_hash == old and not is_group(name):
                    at = record.line - 1
                    lines[at] = lines[at].replace(f"{name}:{old}", f"{name}:{new}", 1)
                    changed.append(replace(record, password_hash=new))
            return changed

        return [record.name for record in self._edit(change)]

    def change(self, name: str, changes: Mapping[str, Any]) -> AccountRecord:
        """Change the line of an account; raises as `IAccountStore.change`."""

        def change(lines: list[str], contents: PasswdContents) -> list[AccountRecord]:
            before = _entry(self.place, contents, name)
            has_defaults = GROUP_MARK + DEFAULT_GROUP in contents.entries
            record, at = with_changes(before, changes, has_defaults), before.line - 1
            if record.name != name:
                _require_free(self.place, contents, record.name)
                _remove(lines, {name}, first=at + 1)
            _set_line(lines, at, _line(record))
            return [record]

        (record,) = self._edit(change)
        return record

    def remove(self, name: str, force: bool = False) -> None:
        """Remove every line of a name, also those that cannot be used; see `IAccountStore`."""

        def change(lines: list[str], contents: PasswdContents) -> list[AccountRecord]:
            if not _has(contents, name):
                raise NoSuchAccount(f"{self.place} has no {described(name)}")
            members = _members(contents, name.removeprefix(GROUP_MARK)) if is_group(name) else ()
            if members and not force:
                raise GroupInUse(self.place, name.removeprefix(GROUP_MARK), members)
            _remove(lines, {name})
            return []

        self._edit(change, may_disable=force)

    def _contents(self) -> PasswdContents:
        with _errors_at(self.place):
            self._last = contents = parse(_read(self.place), self._last)
            return contents

    def _edit(
        self, change: Change, may_create: bool = False, may_disable: bool = False
    ) -> list[AccountRecord]:
        """Change the file under its lock; return the accounts that are new or different.

        With ``may_disable`` accounts may be disabled by a group that is removed.
        """
        place = self.place
        with _errors_at(place), _locked(place, may_create) as status:
            text = _read(place)
            records, changed = self._changed(text, change, may_disable)
            if changed != text:
                _replace_file(place, changed.encode("utf-8", "surrogateescape"), status)
            return records

    def _changed(
        self, text: str, change: Change, may_disable: bool = False
    ) -> tuple[list[AccountRecord], str]:
        """Return the accounts that ``change`` changes in the lines of a text, and the new text.

        Raises `InvalidAccount` if it changes others, or disables accounts and must not.
        """
        if text and not text.endswith("\n"):
            raise InvalidAccount(
                f"{self.place}: the last line has no line end; the file may be truncated:"
                " correct or remove that line"
            )
        self._last = before = parse(text, self._last)
        lines = text.split("\n")
        records = change(lines, before)
        changed = "\n".join(lines)
        if len(changed.encode("utf-8", "surrogateescape")) > MAX_FILE_BYTES:
            raise InvalidAccount(
                f"{self.place} would be larger than {MAX_FILE_BYTES} bytes, which the service"
                " does not read"
            )
        after = parse(changed, before)
        different = {found.name for found in after.entries.values() if _differs(before, found)}
        different -= {record.name for record in records}
        if different or any(_differs(after, record) for record in records):
            raise InvalidAccount(
                f"{self.place}: the change would affect other lines; edit the file"
            )
        require_usable(self.place, before, after, may_disable)
        found = [(after.accounts.get(record.name, record), record.line) for record in records]
        return [replace(record, line=line) for record, line in found], changed


@contextmanager
def _errors_at(place: str) -> Iterator[None]:
    """Raise `StoreUnavailable` for an `OSError`."""
    try:
        yield
    except FileNotFoundError:
        reason = NO_FILE_TEXT if os.path.isdir(os.path.dirname(place)) else "No such directory"
        raise StoreUnavailable(f"{place}: {reason}") from None
    except OSError as error:
        raise StoreUnavailable(f"{place}: {error.strerror or error}") from error


@contextmanager
def _locked(path: str, may_create: bool) -> Iterator[os.stat_result]:
    """Hold the lock of a file; yields its status."""
    deadline = time.monotonic() + LOCK_SECONDS
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK | (os.O_CREAT if may_create else 0)
    descriptor = os.open(path, flags, PRIVATE_MODE)
    try:
        while not _lock(path, descriptor, deadline):
            os.close(descriptor)
            descriptor = os.open(path, flags, PRIVATE_MODE)
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise StoreUnavailable(f"{path} is not a regular file")
        yield status
    finally:
        os.close(descriptor)


def _lock(path: str, descriptor: int, deadline: float) -> bool:
    """Lock a descriptor; returns whether the path still names its file."""
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise StoreUnavailable(f"{path} is locked by another process") from None
            time.sleep(LOCK_RETRY_SECONDS)
            continue
        with suppress(FileNotFoundError):
            return os.path.samestat(os.stat(path), os.fstat(descriptor))
        return False


def _replace_file(path: str, data: bytes, status: os.stat_result) -> None:
    """Replace a file by one with the same owner and mode."""
    directory, name = os.path.split(path)
    descriptor, made = tempfile.mkstemp(prefix=f".{name}.", dir=directory)
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(descriptor, stat.S_IMODE(status.st_mode))
            created = os.fstat(descriptor)
            if (created.st_uid, created.st_gid) != (status.st_uid, status.st_gid):
                os.fchown(descriptor, status.st_uid, status.st_gid)
            os.fsync(descriptor)
        os.replace(made, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(made)
        raise
    opened = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _read(path: str, may_be_missing: bool = False) -> str:
    try:
        content = read_regular_file(path, MAX_FILE_BYTES, follows_links=True)
    except FileNotFoundError:
        if may_be_missing:
            return ""
        raise
    return content.decode("utf-8", "surrogateescape")


def _entry(place: str, contents: PasswdContents, name: str) -> AccountRecord:
    """Return an account or a group as its line has it."""
    if name in contents.entries:
        return contents.entries[name]
    for line in contents.malformed:
        if line.name == name:
            raise InvalidAccount(f"{place}, {line}; correct it or remove the line")
    raise NoSuchAccount(f"{place} has no {described(name)}")


def _require_free(place: str, contents: PasswdContents, name: str) -> None:
    if _has(contents, name):
        raise AccountExists(
            f"{place} has {'a' if is_group(name) else 'an'} {described(name)} already"
        )


def _members(contents: PasswdContents, group: str) -> list[str]:
    return [name for name, record in contents.entries.items() if group in record.groups]


def _line(record: AccountRecord) -> str:
    try:
        return format_line(record)
    except ValueError as error:
        raise InvalidAccount(str(error)) from None


def _has(contents: PasswdContents, name: str) -> bool:
    return name in contents.entries or any(line.name == name for line in contents.malformed)


def _differs(contents: PasswdContents, record: AccountRecord) -> bool:
    """Return whether the contents have another entry of that name, or none."""
    found = contents.entries.get(record.name)
    if found is record:
        return False
    return found is None or replace(found, line=record.line) != record


def _append(lines: list[str], texts: Sequence[str]) -> None:
    """Add lines: groups before all accounts, so that a truncated file has no account without."""
    if not texts:
        return
    if not lines[1:]:
        lines.insert(0, HEADER)
    groups = [text for text in texts if is_group(text)]
    at = next((number for number, line in enumerate(lines) if _is_entry(line)), len(lines) - 1)
    while is_group(lines[at]):
        at += 1
    if groups and lines[at].startswith(BOM):
        lines[at] = lines[at].removeprefix(BOM)
        groups[0] = BOM + groups[0]
    lines[at:at] = groups
    lines[-1:] = [*(text for text in texts if not is_group(text)), ""]


def _is_entry(line: str) -> bool:
    return bool(line.strip()) and not line.removeprefix(BOM).lstrip().startswith("#")


def _set_line(lines: list[str], at: int, text: str) -> None:
    """Replace a line, which keeps its line end."""
    lines[at] = text + ("\r" if lines[at].endswith("\r") else "")


def _remove(lines: list[str], names: Collection[str], first: int = 0) -> None:
    """Remove the lines of these names, from the line at index ``first``."""
    lines[first:] = [
        line for line in lines[first:] if line.removeprefix(BOM).partition(":")[0] not in names
    ]
