"""A JSON file that only its owner can read, changed by several processes one after another.

A file can be the copy of a document that machines have in common: its `DocumentStore` decides what
else has to have a change. Such a copy has a stamp, which tells its document and version. All
functions block.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from ftpservice.state_files.file_replacement import replace_file

__all__ = [
    "STAMP",
    "DocumentStore",
    "DocumentUnavailable",
    "LocalDocuments",
    "PrivateJSON",
    "UnknownDocuments",
    "Write",
]

FILE_MODE = 0o600
STAMP = "common"
"""The key of the stamp in a file that is a copy."""
UNKNOWN_TEXT = (
    "the nodes of a cluster have this file in common; give --config with the settings of this node"
)

Write = Callable[[Mapping[str, Any]], None]
"""Replaces the content, within a change; raises `OSError`."""


class DocumentUnavailable(OSError):
    """What machines have in common cannot be read or changed now; ``strerror`` says why."""

    def __init__(self, text: str) -> None:
        super().__init__(errno.EAGAIN, text)


class DocumentStore(Protocol):
    """Where the content of files is in force."""

    def changing(self, file: PrivateJSON) -> AbstractContextManager[Write]:
        """Return a change of a file, whose lock is held; raises `OSError`.

        Within it the file has what is in force.
        """

    def check_readable(self, file: PrivateJSON) -> None:
        """Raise `DocumentUnavailable` if the content of a file is known to be another one."""

    def refresh(self, file: PrivateJSON) -> None:
        """Bring a file up to date; raises `OSError`."""

    def close(self) -> None:
        """Close what was opened; it is opened again when it is needed."""


class LocalDocuments:
    """Files of this machine alone; what they were a copy of before is left."""

    @contextmanager
    def changing(self, file: PrivateJSON) -> Iterator[Write]:
        """Change the file."""
        yield file.replace

    def check_readable(self, file: PrivateJSON) -> None:
        """Accept every content."""

    def refresh(self, file: PrivateJSON) -> None:
        """Leave the file: it is up to date."""

    def close(self) -> None:
        """Nothing is open."""


class UnknownDocuments(LocalDocuments):
    """Files of which nobody has said whether they are copies: those are not changed."""

    @contextmanager
    def changing(self, file: PrivateJSON) -> Iterator[Write]:
        """Change the file; raises `DocumentUnavailable` for a copy."""
        self.refresh(file)
        yield file.replace

    def refresh(self, file: PrivateJSON) -> None:
        """Leave the file; raises `DocumentUnavailable` for a copy."""
        with suppress(ValueError):  # whoever reads it finds that, too
            if STAMP in file.content():
                raise DocumentUnavailable(UNKNOWN_TEXT)


class PrivateJSON:
    """The file at ``path``, which need not exist; it has one JSON object.

    ``check`` raises one of the errors of a lookup, or `ValueError`, for an object with entries that
    cannot be used: such an object does not become what other machines have, nor comes from there.
    """

    def __init__(
        self,
        path: Path,
        documents: DocumentStore | None = None,
        check: Callable[[dict[str, Any]], object] = bool,
    ) -> None:
        self.path = path
        self._check = check
        self._documents = documents or LocalDocuments()

    def read(self) -> dict[str, Any]:
        """Return the object, an empty one without a file; raises `OSError` and `ValueError`."""
        self._documents.check_readable(self)
        return self.content()

    def content(self) -> dict[str, Any]:
        """Return the object, also of a copy that is known to be an old one; raises as `read`."""
        try:
            content = json.loads(self.path.read_bytes())
        except FileNotFoundError:
            return {}
        if not isinstance(content, dict):
            raise ValueError("no JSON object")
        return content

    def check(self, content: dict[str, Any]) -> None:
        """Raise `ValueError` for an object with entries that cannot be used."""
        try:
            self._check(content)
        except (TypeError, LookupError, AttributeError):
            raise ValueError("its entries are damaged") from None

    def version(self) -> tuple[int, ...]:
        """Return what differs after a change of the file; empty without a file."""
        try:
            found = os.stat(self.path)
        except OSError:
            return ()
        return found.st_ino, found.st_mtime_ns, found.st_size

    def refresh(self) -> None:
        """Bring a copy up to date; raises `OSError`."""
        self._documents.refresh(self)

    @contextmanager
    def changing(self) -> Iterator[Write]:
        """Hold the lock of the file; yield what replaces its content. Raises `OSError`."""
        with self.locked(), self._documents.changing(self) as write:
            yield write

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock of the file, and of nothing else; raises `OSError`."""
        with open(self.path.with_suffix(".lock"), "a", opener=_private) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def replace(self, content: Mapping[str, Any], before: Callable[[], object] = bool) -> None:
        """Replace the file, under its lock; raises `OSError`. ``before``: as of `replace_file`."""
        text = f"{json.dumps(content, indent=1)}\n"
        replace_file(self.path, text.encode(), before=before)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, FILE_MODE)
