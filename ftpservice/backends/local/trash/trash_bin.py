"""Keeping what is deleted and overwritten, and giving it back; blocking calls.

- A deleted file is moved to the trash by one rename: it is in its place, or it is in the trash.
- A file that will be overwritten gets a second name in the trash (a hard link) just before the
  rename that takes its first one away: whenever the process is killed, the file has a name. What a
  killed process has left twice is removed by the next sweep.
- A file whose inode stays (`files/in_place.py`) and one of another filesystem are copied instead.
- On a full disk the oldest files of the trash make room for the one that is kept.
- The changes of one name that replace something take place one after the other (`name_locks`).
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from ftpservice.backends.local.metadata.stat import entry_of
from ftpservice.backends.local.paths.file_ops import rename_exclusive, sync_directory
from ftpservice.backends.local.paths.names import check_new_name, partial_name
from ftpservice.backends.local.paths.tree import DirectoryEntry, DirectoryTree
from ftpservice.backends.local.trash.file_copy import copy_to, move_to
from ftpservice.backends.local.trash.name_locks import locked
from ftpservice.backends.local.trash.trash_directory import TrashDirectory, items_in
from ftpservice.backends.local.trash.trash_names import (
    new_item_name,
    owner_name,
)
from ftpservice.backends.local.trash.trash_order import TrashOrders
from ftpservice.backends.local.trash.trash_room import (
    TrashRoom,
    discarded,
    found_item,
    removed_size,
)
from ftpservice.linux import UNSUPPORTED_ERRNOS
from ftpservice.storage.errors import (
    Exists,
    IsDirectory,
    PathNotFound,
    Unavailable,
)
from ftpservice.storage.trash import FreedSpace, TrashedFile, TrashRule
from ftpservice.wire.entry import Entry
from ftpservice.wire.paths import VirtualPath

__all__ = ["TrashBin"]

CANNOT_LINK_ERRNOS = (*UNSUPPORTED_ERRNOS, errno.EACCES, errno.EMLINK)
MAX_ATTEMPTS = 20


class TrashBin:
    """The trash of ``owner`` for the files in ``tree``.

    ``rule``: None for a storage that keeps nothing more, but may still restore. ``is_durable``:
    what is kept of an overwritten file would survive a power cut.
    """

    def __init__(
        self,
        tree: DirectoryTree,
        owner: str,
        rule: TrashRule | None = None,
        is_durable: bool = False,
        orders: TrashOrders | None = None,
    ) -> None:
        self.rule = rule
        self.freed = FreedSpace()
        self._tree = tree
        self._directory = TrashDirectory(tree.root, owner_name(owner))
        self._is_durable = is_durable
        self._room = TrashRoom(tree, owner_name(owner), orders, self.freed)

    def keep(self, place: DirectoryEntry, path: VirtualPath) -> None:
        """Move what is deleted to the trash; raises `FileNotFoundError` if there is nothing.

        Raises `TrashFull` if it cannot be kept; then nothing is deleted.
        """
        self._room.make(path, lambda: self._keep(place, path))

    def _keep(self, place: DirectoryEntry, path: VirtualPath) -> None:
        for _ in range(MAX_ATTEMPTS):
            with self._directory.versions_of(path, create=True) as opened:
                if self._moved(place, (opened, self._new_item(was_overwritten=False)), path):
                    self._remove_surplus(opened)
                    return
        raise Unavailable(path, "the directory of the trash comes and goes")

    def _moved(self, place: DirectoryEntry, target: tuple[int, bytes], path: VirtualPath) -> bool:
        """Move a file; return False if the directory was removed by a sweep meanwhile."""
        opened, item = target
        try:
            os.rename(place.name, item, src_dir_fd=place.directory, dst_dir_fd=opened)
        except FileNotFoundError:
            if place.facts() is not None:
                return False
            self._directory.prune(path)
            raise
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            move_to((place.directory, place.name), target, _copy_name(item), path)
        self._room.note(target, path)
        return True

    @contextmanager
    def replacing(
        self, place: DirectoryEntry, path: VirtualPath, in_place: bool = False
    ) -> Iterator[None]:
        """Keep the file at ``place``, if there is one, while something else takes its name.

        ``in_place``: its content is changed instead. If that fails and the file is as it was,
        nothing is kept.
        """
        with locked(place, path):
            before = place.facts()
            kept: tuple[int, bytes] | None = None
            if before is not None:
                kept = self._room.make(path, lambda: self._second_name(place, path, in_place))
            if kept is None:
                yield
                return
            opened = kept[0]
            try:
                if self._is_durable:
                    sync_directory(opened)
                yield
            except BaseException:
                if _is_as_before(place, before):
                    self._take_back(kept, path)
                raise
            else:
                self._remove_surplus(opened)
            finally:
                os.close(opened)

    def _take_back(self, kept: tuple[int, bytes], path: VirtualPath) -> None:
        """Remove the name in the trash of a file that has kept its own."""
        opened, item = kept
        with suppress(FileNotFoundError):
            os.unlink(item, dir_fd=opened)
        self._directory.prune(path)

    def _second_name(
        self, place: DirectoryEntry, path: VirtualPath, in_place: bool
    ) -> tuple[int, bytes] | None:
        """Give a file a name in the trash; return the open directory and the name.

        None if there is no file any more.
        """
        for _ in range(MAX_ATTEMPTS):
            opened, item = self._directory.open(path), self._new_item(was_overwritten=True)
            try:
                self._add_name(place, (opened, item), path, in_place)
                self._room.note((opened, item), path)
                return opened, item
            except BaseException as error:
                os.close(opened)
                if not isinstance(error, FileNotFoundError):
                    raise
            if place.facts() is None:
                self._directory.prune(path)
                return None
        raise Unavailable(path, "the directory of the trash comes and goes")

    def _add_name(
        self, place: DirectoryEntry, target: tuple[int, bytes], path: VirtualPath, in_place: bool
    ) -> None:
        opened, item = target
        if not in_place:
            try:
                os.link(
                    place.name,
                    item,
                    src_dir_fd=place.directory,
                    dst_dir_fd=opened,
                    follow_symlinks=False,
                )
                return
            except OSError as error:
                if error.errno not in CANNOT_LINK_ERRNOS:
                    raise
        copy_to((place.directory, place.name), target, _copy_name(item), path)

    def _new_item(self, was_overwritten: bool) -> bytes:
        assert self.rule is not None
        return new_item_name(self.rule.seconds, was_overwritten)

    def _remove_surplus(self, opened: int) -> None:
        """Remove the oldest versions of a name, if there are too many.

        The change is done by then: what fails here is done after the next one.
        """
        if self.rule is None:
            return
        with suppress(OSError):
            for item in items_in(opened)[self.rule.versions :]:
                size = removed_size(opened, item)
                if size is not None:
                    self.freed.add(size)

    def restore(self, trashed: TrashedFile, target: VirtualPath, replace: bool) -> Entry:
        """Give a file of the trash a name; see `ITrash.restore`."""
        if target.is_root:
            raise IsDirectory(target)
        check_new_name(target)
        with self._tree.parent(target) as place:
            with self._directory.versions_of(trashed.path) as opened:
                item = found_item(opened, trashed)
                try:
                    self._move_back((opened, item.name), place, target, replace)
                except FileNotFoundError:
                    found_item(opened, trashed)  # raises `PathNotFound` if it is gone
                    raise
            facts = place.facts()
        self._directory.prune(trashed.path)
        if facts is None:
            raise PathNotFound(target, "it was removed again")
        return entry_of(target.name, facts)

    def _move_back(
        self, item: tuple[int, bytes], place: DirectoryEntry, target: VirtualPath, replace: bool
    ) -> None:
        try:
            self._renamed(item, place, target, replace)
            return
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
        copy = (place.directory, _hidden_name(place.name))
        copy_to(item, copy, _hidden_name(place.name), target)
        try:
            self._renamed(copy, place, target, replace)
        except BaseException:
            os.unlink(copy[1], dir_fd=copy[0])
            raise
        os.unlink(item[1], dir_fd=item[0])

    def _renamed(
        self, item: tuple[int, bytes], place: DirectoryEntry, target: VirtualPath, replace: bool
    ) -> None:
        opened, name = item
        there, here = place.facts(), os.stat(name, dir_fd=opened, follow_symlinks=False)
        if there is not None and stat.S_ISDIR(there.st_mode):
            raise IsDirectory(target)
        if there is not None and os.path.samestat(there, here):
            os.unlink(name, dir_fd=opened)  # it never lost its name
            return
        try:
            rename_exclusive(name, place.name, opened, place.directory)
        except FileExistsError:
            if not replace:
                raise Exists(target) from None
            self._move_over(item, place, target)

    def _move_over(
        self, item: tuple[int, bytes], place: DirectoryEntry, target: VirtualPath
    ) -> None:
        """Give a file of the trash the name of another one, which is kept."""
        opened, name = item
        if self.rule is None:
            os.replace(name, place.name, src_dir_fd=opened, dst_dir_fd=place.directory)
            return
        with self.replacing(place, target):
            os.replace(name, place.name, src_dir_fd=opened, dst_dir_fd=place.directory)

    def discard(self, trashed: Sequence[TrashedFile]) -> list[TrashedFile]:
        """Remove files of the trash for good; return those that were there."""
        return [gone for one in trashed for gone in discarded(self._directory, one)]


def _is_as_before(place: DirectoryEntry, before: os.stat_result | None) -> bool:
    """Return whether the same file with the same content has the name, as far as can be told."""
    try:
        now = place.facts()
    except OSError:
        return False
    return _content_facts(now) == _content_facts(before)


def _content_facts(facts: os.stat_result | None) -> tuple[int, ...]:
    if facts is None:
        return ()
    return facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns


def _copy_name(item: bytes) -> bytes:
    return item[: item.index(b".", len(".ftpservice."))] + b".copy"


def _hidden_name(name: bytes) -> bytes:
    """Return a name as a partial upload has; what is left of a copy is swept like one."""
    return partial_name(os.urandom(8).hex(), name)
