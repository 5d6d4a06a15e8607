"""A ``passwd.db`` on disk: read when it is new or has changed, never on the reactor's thread.

What was read is one immutable value, swapped whole: many threads may refresh and look up at once.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from threading import Lock

from ftpservice.accounts.account_record import AccountRecord
from ftpservice.accounts.passwd_line import (
    MalformedLine,
    PasswdContents,
    format_line,
    parse,
    parse_line,
)

__all__ = ["MalformedLine", "PasswordFile", "format_line", "parse_line"]

MAX_FILE_SIZE = 64 * 1024 * 1024
UNSETTLED_NS = 1_000_000_000
"""A file changed so lately may change again without its time telling; it is read once more."""

FileVersion = tuple[int, int, int]


class PasswordFile:
    """The accounts in one file, as of the last `refresh`; ``report`` is told what is wrong in it.

    ``report`` gets a line for the log, once for each change of the file, on whatever thread
    `refresh` runs.
    """

    def __init__(self, path: str, report: Callable[[str], object]) -> None:
        self.path = os.path.abspath(path)
        self._report = report
        self._lock = Lock()
        self._version: FileVersion | None = None
        self._contents = parse("")
        self._told: tuple[str, ...] = ()

    @property
    def contents(self) -> PasswdContents:
        """What the file said when it was last readable."""
        return self._contents

    def load(self) -> PasswdContents:
        """Read the file (blocks); raises `OSError` when it cannot be read."""
        with self._lock:
            self._read()
            return self._contents

    def refresh(self) -> PasswdContents:
        """Read the file if it changed (blocks); an unreadable one leaves what was read before."""
        with self._lock:
            try:
                if self._version is None or _version(os.stat(self.path)) != self._version:
                    self._read()
            except OSError as error:
                self._version = None
                reason = error.strerror or str(error)
                self._tell((f"{self.path}: {reason}; the accounts read before stay in force",))
            return self._contents

    def lookup(self, name: str) -> AccountRecord | None:
        """Return the account ``name`` from memory."""
        return self._contents.lookup(name)

    def _read(self) -> None:
        data, self._version = _read_settled(self.path)
        self._contents = parse(data.decode("utf-8", "surrogateescape"))
        self._tell((*self._empty(), *(f"{self.path}, {line}" for line in self._contents.malformed)))

    def _empty(self) -> tuple[str, ...]:
        """Return a line for a file without accounts: emptied by mistake, or not filled yet."""
        if self._contents.accounts:
            return ()
        return (f"{self.path}: there is no usable account in it, nobody can log in by it",)

    def _tell(self, texts: tuple[str, ...]) -> None:
        news, self._told = texts if texts != self._told else (), texts
        for text in news:
            self._report(text)


def _read_settled(path: str) -> tuple[bytes, FileVersion | None]:
    """Return what is in the file, and its version unless that may still be changing."""
    with open(path, "rb", opener=_open_at_once) as file:
        before = os.fstat(file.fileno())
        if not stat.S_ISREG(before.st_mode):
            raise OSError("it is not a plain file")
        data = file.read(MAX_FILE_SIZE + 1)
        after = os.fstat(file.fileno())
    if len(data) > MAX_FILE_SIZE:
        raise OSError("it is too large for a list of accounts")
    settled = abs(time.time_ns() - after.st_mtime_ns) > UNSETTLED_NS
    return data, _version(after) if settled and _version(before) == _version(after) else None


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC | os.O_NONBLOCK)


def _version(status: os.stat_result) -> FileVersion:
    return status.st_mtime_ns, status.st_size, status.st_ino
