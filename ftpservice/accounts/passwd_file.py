"""A ``passwd.db`` on disk: read again when it has changed, never on the reactor thread.

The contents are one immutable value that is replaced as a whole, so threads may refresh and look up
at the same time.
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

__all__ = ["MAX_FILE_BYTES", "MalformedLine", "PasswordFile", "format_line", "parse_line"]

MAX_FILE_BYTES = 64 * 1024 * 1024
UNSTABLE_NS = 1_000_000_000
"""A file that changed so recently may change again with the same time; it is read once more."""

FileVersion = tuple[int, int, int]


class PasswordFile:
    """The accounts in one file, as of the last `refresh`.

    ``report`` is called with each error in the file as a line for the log, once for each change of
    the file, in the thread of `refresh`.
    """

    def __init__(self, path: str, report: Callable[[str], object]) -> None:
        self.path = os.path.abspath(path)
        self._report = report
        self._lock = Lock()
        self._version: FileVersion | None = None
        self.contents = parse("")
        """The contents when the file was last readable."""
        self._reported: tuple[str, ...] = ()

    def load(self) -> PasswdContents:
        """Read the file (blocks); raises `OSError` when it cannot be read."""
        with self._lock:
            self._read()
            return self.contents

    def refresh(self) -> PasswdContents:
        """Read the file if it changed (blocks); an unreadable file leaves the previous contents."""
        with self._lock:
            try:
                if self._version is None or _version(os.stat(self.path)) != self._version:
                    self._read()
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
            (*self._warning(), *(f"{self.path}, {line}" for line in self.contents.malformed))
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
