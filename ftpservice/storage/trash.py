"""The trash: deleted and overwritten files that are kept, invisible, for a time.

`IKeepsTrash` gives a storage that keeps them. There is nothing else to call: ``remove_file``, a
rename over a file and the commit of an upload over one keep the old file, in one step each. What is
kept has no name in the storage: no call but those of `ITrash` reaches it.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock
from typing import NamedTuple, Protocol

from zope.interface import Attribute, Interface, implementer

from ftpservice.storage.errors import (
    Exists,
    NotInTrash,
    NotSupported,
    PathNotFound,
    StorageError,
)
from ftpservice.storage.interfaces import IStorage
from ftpservice.wire.entry import Entry, Kind
from ftpservice.wire.paths import ROOT, VirtualPath

__all__ = [
    "MAX_ORDERED",
    "NO_TRASH",
    "FreedSpace",
    "IKeepsTrash",
    "ITrash",
    "OldestFiles",
    "TrashOrder",
    "TrashRule",
    "TrashedFile",
    "WrappedTrash",
    "find_trashed",
    "parse_trash",
    "restore",
    "with_trash",
]

MAX_ORDERED = 2048
"""Files in an order, so that a walk through a large trash is rare, and takes little memory."""
MAX_VERSIONS = 10
"""Versions of one name that are kept; a camera may overwrite its picture every second."""
UNIT_SECONDS = {"h": 3600, "d": 86_400, "w": 7 * 86_400}
TIME = re.compile(r"([1-9][0-9]{0,5}) ?([hdw])", re.ASCII)
MAX_SECONDS = 100 * 366 * 86_400


@dataclass(frozen=True, slots=True)
class TrashRule:
    """How long, and how many; 0 seconds for nothing at all."""

    seconds: int
    versions: int = MAX_VERSIONS

    def __str__(self) -> str:
        """Return the text that `parse_trash` parses back, for a rule that keeps something."""
        hours = self.seconds // UNIT_SECONDS["h"]
        return f"{hours}h" if hours % 24 else f"{hours // 24}d"


NO_TRASH = TrashRule(0)
"""Deleted files are not kept, whatever else would be in force."""


def parse_trash(text: str, absent: str = "none") -> TrashRule:
    """Parse ``12h``, ``30d`` or ``8w``; raises `ValueError` with the reason.

    ``absent`` is what is given, in this place, to keep nothing.

    A time without a unit is refused: 30 could be meant as days, and read as seconds.
    """
    match = TIME.fullmatch(text.strip())
    seconds = int(match[1]) * UNIT_SECONDS[match[2]] if match is not None else 0
    if not 0 < seconds <= MAX_SECONDS:
        raise ValueError(
            "expected a time in hours, days or weeks, at most a hundred years, such as 12h, 30d or "
            f"8w, or {absent!r} to keep nothing, not {text!r}"
        )
    return TrashRule(seconds)


class TrashedFile(NamedTuple):
    """A file of the trash."""

    id: str
    """Unique among the files of one account; letters and digits."""
    path: VirtualPath
    """The name that it had."""
    kind: Kind
    size: int
    """Bytes; 0 for anything but a plain file."""
    modified: float
    """When its content was changed, in seconds since the epoch."""
    deleted: float
    """When it was deleted or overwritten."""
    expires: float
    """When it is removed for good."""
    was_overwritten: bool
    """Whether another file took its name; otherwise it was deleted."""


class ITrash(Interface):
    """What an account has deleted and overwritten, and nobody else."""

    rule = Attribute("The `TrashRule` of this storage; None if it keeps nothing more.")

    def trashed(path: VirtualPath) -> Awaitable[Sequence[TrashedFile]]:
        """Return what had the name ``path``, or was below it: the latest first."""

    def restore(trashed: TrashedFile, target: VirtualPath, replace: bool) -> Awaitable[Entry]:
        """Give a file the name ``target``, in one step; return its entry.

        With ``replace`` a file there is overwritten, so it is kept in turn. Raises `PathNotFound`
        if it is not kept any more or there is no directory for ``target``, `Exists` if not
        ``replace``, `IsDirectory`, `InvalidName`.
        """

    def discard(trashed: Sequence[TrashedFile]) -> Awaitable[Sequence[TrashedFile]]:
        """Remove files of the trash for good; return those that were there."""

    def oldest(size: int, files: int) -> Awaitable[Sequence[TrashedFile]]:
        """Return the oldest files that make up so many bytes and files, or all there are.

        Each is returned once until all have been, and may have gone meanwhile. The time that this
        takes does not depend on the number of files in the trash, but for now and then.
        """

    def take_freed() -> tuple[int, int]:
        """Return the bytes and files that the other calls have removed; for quotas.

        These are versions of a name that has too many, since the last call of this.
        """


class IKeepsTrash(Interface):
    """A storage that can keep what is deleted and overwritten."""

    def with_trash(rule: TrashRule) -> IStorage:
        """Return the same files; what is deleted there, and overwritten, is kept."""


@implementer(ITrash)
class WrappedTrash:
    """``inner``; what a subclass does not change."""

    def __init__(self, inner: ITrash) -> None:
        self._inner = inner

    @property
    def rule(self) -> TrashRule | None:
        """The rule of the storage."""
        rule: TrashRule | None = self._inner.rule
        return rule

    async def trashed(self, path: VirtualPath) -> Sequence[TrashedFile]:
        """Return what had a name, or was below it."""
        return await self._inner.trashed(path)

    async def restore(self, trashed: TrashedFile, target: VirtualPath, replace: bool) -> Entry:
        """Give a file of the trash a name."""
        return await self._inner.restore(trashed, target, replace)

    async def discard(self, trashed: Sequence[TrashedFile]) -> Sequence[TrashedFile]:
        """Remove files of the trash for good."""
        return await self._inner.discard(trashed)

    async def oldest(self, size: int, files: int) -> Sequence[TrashedFile]:
        """Return the oldest files that make up so much."""
        return await self._inner.oldest(size, files)

    def take_freed(self) -> tuple[int, int]:
        """Return what was removed to make room for other versions."""
        freed: tuple[int, int] = self._inner.take_freed()
        return freed


class FreedSpace:
    """What `ITrash.take_freed` returns; used by several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._size = self._files = 0

    def add(self, size: int) -> None:
        """Record a file that was removed."""
        with self._lock:
            self._size += size
            self._files += 1

    def take(self) -> tuple[int, int]:
        """Return the sums, and begin again."""
        with self._lock:
            found = self._size, self._files
            self._size = self._files = 0
        return found


class OldestFiles(Protocol):
    """A walk that finds the oldest files of a trash, in turns."""

    found: list[TrashedFile]

    def turn(self) -> bool:
        """Walk a part; return whether there is more."""


class TrashOrder:
    """The oldest files of one trash, found without a walk through all of it; for several threads.

    It is read from the storage when it is needed and nothing is left of it, and follows in memory
    what is added after that. So it needs no record there, and nothing is wrong after a kill. It is
    a hint: a file in it may be gone, and another process may have added files that it lacks; these
    are found when it is read again.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._files: deque[TrashedFile] = deque()
        self._is_complete = False
        """Whether all files of the trash are in it, as far as is known."""
        self._added: list[TrashedFile] | None = None
        """What was added since a walk began; None without one."""

    def add(self, file: TrashedFile) -> None:
        """Add a file that is in the trash now, and so is the latest."""
        with self._lock:
            if self._added is not None:
                self._added.append(file)
            elif self._is_complete and len(self._files) < MAX_ORDERED:
                self._files.append(file)
            else:
                self._is_complete = False

    def take(self, size: int, files: int) -> list[TrashedFile]:
        """Take the oldest files, up to so many bytes and files; none if it has to be read."""
        taken: list[TrashedFile] = []
        with self._lock:
            while self._files and (size > 0 or files > 0):
                one = self._files.popleft()
                taken.append(one)
                size, files = size - one.size, files - 1
        return taken

    def begin(self) -> None:
        """Note that a walk begins."""
        with self._lock:
            self._added = []

    def fill(self, found: Sequence[TrashedFile]) -> None:
        """Use what a walk has found."""
        with self._lock:
            by_id = {one.id: one for one in (*found, *(self._added or ()))}
            oldest = sorted(by_id.values(), key=lambda one: one.id)
            self._files = deque(oldest[:MAX_ORDERED])
            self._is_complete = len(found) < MAX_ORDERED and len(oldest) <= MAX_ORDERED
            self._added = None

    def oldest(self, search: OldestFiles) -> TrashedFile | None:
        """Take the oldest file, after a walk if it has to be read (blocks)."""
        taken = self.take(0, 1)
        if not taken:
            self.begin()
            while search.turn():
                pass
            self.fill(search.found)
            taken = self.take(0, 1)
        return taken[0] if taken else None


def with_trash(storage: IStorage, rule: TrashRule) -> IStorage:
    """Return a storage that keeps what is deleted; raises `NotSupported` if it cannot."""
    found = IKeepsTrash(storage, None)
    if found is None:
        raise NotSupported(ROOT, "the storage cannot keep deleted files (trash)")
    kept: IStorage = found.with_trash(rule)
    return kept


def trash_of(storage: IStorage, path: VirtualPath = ROOT) -> ITrash:
    """Return the trash of a storage; raises `NotSupported`."""
    trash: ITrash | None = ITrash(storage, None)
    if trash is None:
        raise NotSupported(path, "no trash")
    return trash


async def find_trashed(
    storage: IStorage, path: VirtualPath | None = None, number: str = ""
) -> TrashedFile:
    """Return the latest file of the trash that had the name ``path``, or the one with an id.

    With an id, a path is where to look. Raises `NotInTrash`.
    """
    where = ROOT if path is None else path
    for one in await trash_of(storage, where).trashed(where):
        if one.id == number.lower() if number else one.path == where:
            found: TrashedFile = one
            return found
    raise NotInTrash(where, f"no file with the id {number}" if number else "")


async def restore(
    storage: IStorage,
    trashed: TrashedFile,
    target: VirtualPath | None = None,
    replace: bool = False,
    mode: int = 0o755,
) -> Entry:
    """Restore a file under its name or another one; missing directories are created.

    ``mode`` is theirs. Raises what `ITrash.restore` and ``make_directory`` do; nothing is
    overwritten unless ``replace``. A refused restore leaves no new directories.
    """
    trash = trash_of(storage, trashed.path)
    target = trashed.path if target is None else target
    entry: Entry
    try:
        entry = await trash.restore(trashed, target, replace)
    except PathNotFound:  # whatever else refuses it has been asked
        if await _is_there(storage, target.parent) or not await _is_kept(trash, trashed):
            raise
    else:
        return entry
    made: list[VirtualPath] = []
    try:
        for depth in range(1, len(target.parts)):
            path = VirtualPath(target.parts[:depth])
            with suppress(Exists):
                await storage.make_directory(path, mode)
                made.append(path)
        entry = await trash.restore(trashed, target, replace)
    except BaseException:
        for path in reversed(made):
            with suppress(StorageError):
                await storage.remove_directory(path)
        raise
    return entry


async def _is_there(storage: IStorage, path: VirtualPath) -> bool:
    try:
        await storage.stat(path)
    except PathNotFound:
        return False
    return True


async def _is_kept(trash: ITrash, trashed: TrashedFile) -> bool:
    return any(one.id == trashed.id for one in await trash.trashed(trashed.path))
