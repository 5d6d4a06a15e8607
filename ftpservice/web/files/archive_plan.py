"""What an archive will hold, and its exact size, before the first byte of it is sent.

The archive is a ZIP (APPNOTE 6.3) as `zipfile` writes it to what it cannot seek in: not compressed,
sizes and checksum of each file after it, 64-bit numbers where they are needed. Its size follows
from the names and the sizes, so a browser shows progress and notices a broken download.
"""

from __future__ import annotations

import time
from contextlib import aclosing
from dataclasses import dataclass
from zipfile import ZipInfo

from twisted.internet.task import deferLater

from ftpservice.session.services import Services
from ftpservice.storage.errors import StorageError
from ftpservice.storage.interfaces import IStorage
from ftpservice.storage.links import lstat
from ftpservice.web.files.directory_batches import OpenDirectory, has_address
from ftpservice.web.http.problems import Problem
from ftpservice.wire.entry import Entry, Kind
from ftpservice.wire.paths import VirtualPath

__all__ = ["MISSING_NAME", "ArchiveMember", "ArchivePlan"]

MAX_MEMBERS = 100_000
MAX_MISSING = 1000
MAX_DEPTH = 64
LARGE_SIZE = 1 << 30
"""From this size on the numbers of a file are 64-bit ones."""
ZIP64_LIMIT = (1 << 31) - 1
"""Above it `zipfile` writes 64-bit numbers into the directory at the end."""
ZIP64_COUNT = (1 << 16) - 1
LOCAL_HEADER, DIRECTORY_HEADER, END = 30, 46, 22
LOCAL_ZIP64, END_ZIP64 = 20, 56 + 20
DESCRIPTOR, LARGE_DESCRIPTOR = 16, 24
MAX_NAME_BYTES = 65_535
EARLIEST, LATEST = (1980, 1, 1, 0, 0, 0), (2107, 12, 31, 23, 59, 58)
MISSING_NAME = "Not in this archive.txt"
CREATED_ON_UNIX = 3
FILE_MODE, DIRECTORY_MODE, DIRECTORY_FLAG = 0o100644, 0o040755, 0x10


@dataclass(frozen=True)
class ArchiveMember:
    """One file or directory of an archive; ``path`` is None for a text of our own."""

    info: ZipInfo
    path: VirtualPath | None
    size: int
    text: bytes = b""

    @property
    def is_large(self) -> bool:
        """Whether its numbers are 64-bit ones."""
        return self.size >= LARGE_SIZE


class ArchivePlan:
    """Collects the members: `add` each file or folder, then `close`."""

    def __init__(self, storage: IStorage, services: Services) -> None:
        self._storage = storage
        self._services = services
        self.members: list[ArchiveMember] = []
        self.size = 0
        """Bytes of the archive, after `close`."""
        self._names: set[str] = set()
        self._numbers: dict[str, int] = {}
        """The last number that was added to a name, so that many like it take little time."""
        self._missing: list[str] = []
        self._missing_count = 0

    async def add(self, top: VirtualPath) -> None:
        """Add a file, or a folder with all that is in it; raises `StorageError`, `Problem`."""
        entry = await lstat(self._storage, top)
        if entry.kind is Kind.LINK:
            entry = await self._storage.stat(top)
        name = self._free_name(_safe_name(top.name)) if top.name else ""
        if entry.kind is Kind.DIRECTORY:
            await self._add_tree(top, name)
        else:
            self._add_entry(top, name, entry)

    async def _add_tree(self, top: VirtualPath, name: str) -> None:
        waiting = [(top, f"{name}/" if name else "")]
        while waiting:
            directory, prefix = waiting.pop()
            if prefix:
                self._append(prefix, directory, 0, None)
            if len(directory.parts) - len(top.parts) > MAX_DEPTH:
                self._leave_out(directory, "it is too deep")
                continue
            try:
                below = await self._read(directory, prefix)
            except StorageError as error:
                if directory == top:
                    raise
                self._leave_out(directory, error.words)
            else:
                waiting += reversed(below)

    async def _read(self, directory: VirtualPath, prefix: str) -> list[tuple[VirtualPath, str]]:
        """Add the files of a directory; return the directories in it."""
        below: list[tuple[VirtualPath, str]] = []
        opened = await OpenDirectory.of(self._storage, directory)
        async with aclosing(opened.batches()) as batches:
            async for batch in batches:
                below += filter(None, (self._member(directory, prefix, one) for one in batch))
                await deferLater(self._services.clock, 0)  # other requests take their turns
        return below

    def _member(
        self, directory: VirtualPath, prefix: str, entry: Entry
    ) -> tuple[VirtualPath, str] | None:
        """Add an entry of a directory, or return it if it is one itself."""
        path = directory.child(entry.name)
        if not has_address(entry):
            self._leave_out(directory, "a name in it has a line end")
            return None
        name = self._free_name(prefix + _safe_name(entry.name))
        if entry.kind is Kind.DIRECTORY:
            return path, f"{name}/"
        self._add_entry(path, name, entry)
        return None

    def _add_entry(self, path: VirtualPath, name: str, entry: Entry) -> None:
        if entry.kind is Kind.FILE:
            self._append(name, path, entry.size, entry.modified)
        else:
            what = "a link" if entry.kind is Kind.LINK else "neither a file nor a directory"
            self._leave_out(path, f"it is {what}")

    def _leave_out(self, path: VirtualPath, reason: str) -> None:
        self._missing_count += 1
        if len(self._missing) < MAX_MISSING:
            self._missing.append(f"{path}: {reason}")

    def close(self) -> None:
        """Add a text about what is missing, if anything is, and compute the size."""
        if self._missing_count:
            more = self._missing_count - len(self._missing)
            lines = [*self._missing, *([f"and {more} more"] if more else [])]
            text = "".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace")
            name = self._free_name(MISSING_NAME)
            info = _info(name, len(text), self._services.seconds(), FILE_MODE)
            self.members.append(ArchiveMember(info, None, len(text), text))
        self.size = _size_of(self.members)

    def _append(self, name: str, path: VirtualPath, size: int, modified: float | None) -> None:
        if len(self.members) >= MAX_MEMBERS:
            raise Problem(413, f"An archive has at most {MAX_MEMBERS} files and folders.")
        mode = FILE_MODE if modified is not None else DIRECTORY_MODE
        info = _info(name, size, modified, mode)
        self.members.append(ArchiveMember(info, path, size))

    def _free_name(self, name: str) -> str:
        """Return a name that no other member has, also where case makes no difference."""
        wanted = name.casefold()
        free, number = name, self._numbers.get(wanted, 1)
        while free.casefold() in self._names:
            number += 1
            stem, dot, end = name.rpartition(".")
            is_plain = not stem or "/" in end
            free = f"{name} ({number})" if is_plain else f"{stem} ({number}){dot}{end}"
        self._names.add(free.casefold())
        if number > 1:
            self._numbers[wanted] = number
        return free


def _safe_name(name: str) -> str:
    """Return a name without what leads a program out of the directory that it unpacks into."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join("_" if one in "\\:" or not one.isprintable() else one for one in text)


def _info(name: str, size: int, modified: float | None, mode: int) -> ZipInfo:
    when = time.localtime(modified)[:6] if modified is not None else EARLIEST
    info = ZipInfo(name, max(EARLIEST, min(when, LATEST)))
    info.create_system = CREATED_ON_UNIX
    info.external_attr = mode << 16 | (DIRECTORY_FLAG if mode == DIRECTORY_MODE else 0)
    info.file_size = size
    if len(_encoded(info)) > MAX_NAME_BYTES:
        raise Problem(400, "A path is too long for an archive.")
    return info


def _encoded(info: ZipInfo) -> bytes:
    return info.filename.encode()


def _size_of(members: list[ArchiveMember]) -> int:
    """Return the size of the archive that `zipfile` makes of the members."""
    position = directory = 0
    for member in members:
        size, name = member.size, len(_encoded(member.info))
        large = 2 * (size > ZIP64_LIMIT) + (position > ZIP64_LIMIT)
        directory += DIRECTORY_HEADER + name + (4 + 8 * large if large else 0)
        position += LOCAL_HEADER + name + size
        position += LOCAL_ZIP64 + LARGE_DESCRIPTOR if member.is_large else DESCRIPTOR
    is_large = max(position, directory) > ZIP64_LIMIT or len(members) > ZIP64_COUNT
    return position + directory + END + (END_ZIP64 if is_large else 0)
