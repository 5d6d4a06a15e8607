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
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from zope.interface import implementer

from ftpservice.accounts.account_record import AccountRecord
from ftpservice.accounts.account_store import (
    AccountExists,
    IAccountStore,
    InvalidAccount,
    NoSuchAccount,
    StoreUnavailable,
)
from ftpservice.accounts.passwd_line import PasswdContents, format_line, parse

__all__ = ["PasswordFileStore"]

LOCK_SECONDS = 10.0
"""How long to wait for another writer."""
LOCK_RETRY_SECONDS = 0.02
PRIVATE_MODE = 0o600
HEADER = "# name:hash:root:rights:options"
"""The first line of a new file."""


@implementer(IAccountStore)
class PasswordFileStore:
    """The accounts of one file, which need not exist before the first account is added."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.place = os.path.realpath(path)

    def accounts(self) -> Sequence[AccountRecord]:
        """Return all usable accounts, in the order of the file."""
        return tuple(self._contents().accounts.values())

    def problems(self) -> Sequence[str]:
        """Return a line for each malformed line and, if others can read the file, for its mode."""
        lines = [f"{self.place}, {line}" for line in self._contents().malformed]
        with suppress(OSError):
            mode = stat.S_IMODE(os.stat(self.place).st_mode)
            if mode & 0o007:
                lines.append(f"{self.place}: other users can read it (mode {mode:04o}; chmod 600)")
        return lines

    def find(self, name: str) -> AccountRecord:
        """Return an account; raises `NoSuchAccount`, `InvalidAccount` for a malformed line."""
        return self._found(self._contents(), name)

    def add(self, record: AccountRecord) -> None:
        """Append an account; raises `AccountExists`, `InvalidAccount`."""
        line = _line(record)

        def change(lines: list[str], contents: PasswdContents) -> AccountRecord:
            self._require_free(contents, record.name)
            lines[-1:] = [line, ""] if lines[1:] else [HEADER, line, ""]
            return record

        self._edit(change, may_create=True)

    def change(self, name: str, changes: Mapping[str, Any]) -> AccountRecord:
        """Change the line of an account; raises as `IAccountStore.change`."""

        def change(lines: list[str], contents: PasswdContents) -> AccountRecord:
            before = self._found(contents, name)
            record, at = replace(before, **changes), before.line - 1
            if record.name != name:
                self._require_free(contents, record.name)
                _remove(lines, name, first=at + 1)
            lines[at] = _line(record) + ("\r" if lines[at].endswith("\r") else "")
            return record

        record = self._edit(change)
        assert record is not None
        return record

    def remove(self, name: str) -> None:
        """Remove every line of a name, also those that cannot be used; raises `NoSuchAccount`."""

        def change(lines: list[str], contents: PasswdContents) -> None:
            if not _has(contents, name):
                raise NoSuchAccount(f"{self.place} has no account {name!r}")
            _remove(lines, name)

        self._edit(change)

    def _found(self, contents: PasswdContents, name: str) -> AccountRecord:
        record = contents.accounts.get(name)
        if record is not None:
            return record
        for line in contents.malformed:
            if line.name == name:
                raise InvalidAccount(f"{self.place}, {line}; correct it or remove the account")
        raise NoSuchAccount(f"{self.place} has no account {name!r}")

    def _require_free(self, contents: PasswdContents, name: str) -> None:
        if _has(contents, name):
            raise AccountExists(f"{self.place} has an account {name!r} already")

    def _contents(self) -> PasswdContents:
        with _errors_at(self.place):
            return parse(_read(self.place))

    def _edit(
        self,
        change: Callable[[list[str], PasswdContents], AccountRecord | None],
        may_create: bool = False,
    ) -> AccountRecord | None:
        """Change the lines of the file under its lock.

        ``change`` gets the lines, the last of which is the empty one after the last line end, and
        the contents; it returns the account that is new or different, if any.
        """
        with _errors_at(self.place), self._locked(may_create) as status:
            text = _read(self.place)
            if text and not text.endswith("\n"):
                raise InvalidAccount(
                    f"{self.place}: the last line has no line end; the file may be truncated:"
                    " correct or remove that line"
                )
            before = parse(text)
            lines = text.split("\n")
            record = change(lines, before)
            changed = "\n".join(lines)
            self._check(before, parse(changed), record)
            self._write(changed.encode("utf-8", "surrogateescape"), status)
            return record

    def _check(
        self, before: PasswdContents, after: PasswdContents, record: AccountRecord | None
    ) -> None:
        """Raise `InvalidAccount` if a change does more than to add or change ``record``."""
        different = {found.name for found in after.accounts.values() if _differs(before, found)}
        if record is not None:
            different.discard(record.name)
            if _differs(after, record):
                different.add(record.name)
        if different:
            raise InvalidAccount(
                f"{self.place}: the change would affect other lines; edit the file"
            )

    @contextmanager
    def _locked(self, may_create: bool) -> Iterator[os.stat_result]:
        """Hold the lock of the file; yields its status."""
        deadline = time.monotonic() + LOCK_SECONDS
        flags = os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK | (os.O_CREAT if may_create else 0)
        descriptor = os.open(self.place, flags, PRIVATE_MODE)
        try:
            while not self._lock(descriptor, deadline):
                os.close(descriptor)
                descriptor = os.open(self.place, flags, PRIVATE_MODE)
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise StoreUnavailable(f"{self.place} is not a regular file")
            yield status
        finally:
            os.close(descriptor)

    def _lock(self, descriptor: int, deadline: float) -> bool:
        """Lock a descriptor; returns whether the path still names its file."""
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise StoreUnavailable(f"{self.place} is locked by another process") from None
                time.sleep(LOCK_RETRY_SECONDS)
                continue
            with suppress(FileNotFoundError):
                return os.path.samestat(os.stat(self.place), os.fstat(descriptor))
            return False

    def _write(self, data: bytes, status: os.stat_result) -> None:
        """Replace the file, which keeps its owner and mode."""
        directory, name = os.path.split(self.place)
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
            os.replace(made, self.place)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(made)
            raise
        opened = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


@contextmanager
def _errors_at(place: str) -> Iterator[None]:
    """Raise `StoreUnavailable` for an `OSError`."""
    try:
        yield
    except OSError as error:
        raise StoreUnavailable(f"{place}: {error.strerror or error}") from error


def _read(path: str) -> str:
    return Path(path).read_bytes().decode("utf-8", "surrogateescape")


def _line(record: AccountRecord) -> str:
    try:
        return format_line(record)
    except ValueError as error:
        raise InvalidAccount(str(error)) from None


def _has(contents: PasswdContents, name: str) -> bool:
    return name in contents.accounts or any(line.name == name for line in contents.malformed)


def _differs(contents: PasswdContents, record: AccountRecord) -> bool:
    """Return whether the contents have another record of that name, or none."""
    found = contents.accounts.get(record.name)
    return found is None or replace(found, line=record.line) != record


def _remove(lines: list[str], name: str, first: int = 0) -> None:
    """Remove the lines of a name, from the line at index ``first``."""
    lines[first:] = [
        line for line in lines[first:] if line.removeprefix("\ufeff").partition(":")[0] != name
    ]
