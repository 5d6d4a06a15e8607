"""The uploads that can be resumed: a file each in the data directory, by a hash of the id.

What has arrived is not here, but with the storage (`IPartials`). A record says which upload the
partial upload of a name belongs to; as soon as the name is uploaded anew, by whatever protocol, the
record is dropped, so that bytes of two files are never mixed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from twisted.logger import Logger

from ftpservice.concurrency.thread_pool import BlockingRunner, run_unattended
from ftpservice.state_files.file_replacement import NEW_SUFFIX, replace_file
from ftpservice.web.access.random_secrets import hash_of, new_secret

__all__ = ["UPLOADS_DIRECTORY", "UploadRecord", "UploadRecords"]

log = Logger("ftpservice.web")

UPLOADS_DIRECTORY = "http-uploads"
"""In the data directory."""
ID_BYTES = 16
KEPT_SECONDS = 7 * 86_400.0
"""Time after the last request for which an upload can be resumed."""
RENEWED_SECONDS = 3600.0
"""Time after which a new end is written down."""
MAX_RECORDS = 10_000
MAX_RECORDS_PER_USER = 1000
MAX_EARLY = 10_000
"""Names that are remembered until the directory was read; beyond that no record counts."""


@dataclass(frozen=True)
class UploadRecord:
    """One upload."""

    key: str
    """The hash of its id."""
    user: str
    """The owner of the files of the account for the storages: a renamed account goes on."""
    path: str
    length: int
    replaces: bool
    expires: float
    is_complete: bool = False


class UploadRecords:
    """The records, in memory and in ``directory`` (None: in memory only), written in ``pool``."""

    def __init__(
        self, directory: Path | None, pool: BlockingRunner, seconds: Callable[[], float]
    ) -> None:
        self._directory = directory
        self._pool = pool
        self._seconds = seconds
        self._records: dict[str, UploadRecord] = {}
        self._by_name: dict[tuple[str, str], str] = {}
        """The key of the incomplete upload of a name of an account."""
        self._is_loaded = directory is None
        self._early: set[tuple[str, str]] = set()
        """The names that were uploaded anew before the directory was read."""

    async def load(self) -> None:
        """Read the directory, once; requests of others meanwhile do so too."""
        if not self._is_loaded:
            found = await self._pool.run(self._read)
            if not self._is_loaded:
                self._is_loaded = True
                for record in found:
                    self._add(record)
                self._drop_early()
                self._drop_expired()

    def _drop_early(self) -> None:
        """Drop the records that were superseded before they were read."""
        names = list(self._by_name) if len(self._early) >= MAX_EARLY else self._early
        for user, path in names:
            self.supersede(user, path)
        self._early.clear()

    def supersede(self, user: str, path: str) -> None:
        """Drop the record of a name that is uploaded anew."""
        if not self._is_loaded:
            if len(self._early) < MAX_EARLY:
                self._early.add((user, path))
        elif self._by_name and (key := self._by_name.get((user, path))) is not None:
            self.remove(self._records[key])

    async def create(self, user: str, path: str, length: int, replaces: bool) -> tuple[str, Any]:
        """Return the id of a new upload, and its record, which is on the disk then.

        Raises `OSError`.
        """
        self._drop_expired()
        own = [record for record in self._records.values() if record.user == user]
        if len(own) >= MAX_RECORDS_PER_USER:
            self.remove(own[0])
        elif len(self._records) >= MAX_RECORDS:
            self.remove(next(iter(self._records.values())))
        id = new_secret(ID_BYTES)
        expires = self._seconds() + KEPT_SECONDS
        record = UploadRecord(hash_of(id), user, path, length, replaces, expires)
        if self._directory is not None:
            await self._pool.run(self._write, record)
        self._add(record)
        return id, record

    def find(self, id: str, user: str) -> UploadRecord | None:
        """Return an upload of an account; None if there is none of that id."""
        record = self._records.get(hash_of(id))
        if record is None or record.user != user or record.expires <= self._seconds():
            return None
        return record

    def renewed(self, record: UploadRecord, *, is_complete: bool = False) -> UploadRecord:
        """Note that an upload went on, or is complete; returns its record."""
        if record.key not in self._records:
            return record
        expires = self._seconds() + KEPT_SECONDS
        if not is_complete and expires - record.expires < RENEWED_SECONDS:
            return record
        new = replace(record, expires=expires, is_complete=is_complete)
        self._add(new)
        if is_complete:
            self._by_name.pop((record.user, record.path), None)
        if self._directory is not None:
            run_unattended(self._pool, self._write_known, new)
        return new

    def remove(self, record: UploadRecord) -> None:
        """Drop an upload."""
        if self._records.pop(record.key, None) is not None:
            name = (record.user, record.path)
            if self._by_name.get(name) == record.key:
                del self._by_name[name]
            if self._directory is not None:
                run_unattended(self._pool, self._unlink, record.key)

    def _add(self, record: UploadRecord) -> None:
        self._records[record.key] = record
        if not record.is_complete:
            self._by_name[(record.user, record.path)] = record.key

    def _drop_expired(self) -> None:
        now = self._seconds()
        for record in [one for one in self._records.values() if one.expires <= now]:
            self.remove(record)

    # What blocks: in the pool.

    def _read(self) -> list[UploadRecord]:
        assert self._directory is not None
        return list(_records_in(self._directory))

    def _write(self, record: UploadRecord) -> None:
        assert self._directory is not None
        self._directory.mkdir(mode=0o700, exist_ok=True)
        content = json.dumps(asdict(record)).encode()
        replace_file(self._directory / record.key, content, is_durable=False)

    def _write_known(self, record: UploadRecord) -> None:
        """Write a record, unless it was dropped before its turn."""
        try:
            if self._records.get(record.key) == record:
                self._write(record)
        except OSError as error:
            log.error("an upload cannot be written down: {error}", error=str(error))

    def _unlink(self, key: str) -> None:
        assert self._directory is not None
        (self._directory / key).unlink(missing_ok=True)


def _records_in(directory: Path) -> Iterator[UploadRecord]:
    try:
        names = sorted(os.listdir(directory))
    except FileNotFoundError:
        return
    for name in names:
        if name.endswith(NEW_SUFFIX):  # by a process that was killed
            with suppress(OSError):
                (directory / name).unlink()
            continue
        try:
            record = UploadRecord(**json.loads((directory / name).read_bytes()))
        except (OSError, ValueError, TypeError):
            log.warn("{name} is not the record of an upload", name=name)
            continue
        if record.key == name:
            yield record
