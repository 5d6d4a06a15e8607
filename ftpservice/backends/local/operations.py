"""Changes to a tree on the disk: blocking calls that raise `OSError` and storage errors."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import nullcontext, suppress

from ftpservice.backends.local.files.in_place import SET_ID_BITS
from ftpservice.backends.local.files.removal import (
    remove_empty_directory,
    remove_unchanged_file,
)
from ftpservice.backends.local.metadata.acl import has_default_acl
from ftpservice.backends.local.metadata.mount_points import reports_mount_points
from ftpservice.backends.local.metadata.stat import O_PATH
from ftpservice.backends.local.partial_search import DirectoryPartials, remove_partial_alone
from ftpservice.backends.local.partials.partial_file import discard_idle
from ftpservice.backends.local.paths.file_ops import ignore_unsupported, rename_exclusive
from ftpservice.backends.local.paths.names import check_new_name, partial_name
from ftpservice.backends.local.paths.path_walk import DIRECTORY_FLAGS
from ftpservice.backends.local.paths.tree import DirectoryEntry, DirectoryTree, proc_fd_path
from ftpservice.backends.local.trash.trash_bin import TrashBin
from ftpservice.storage.errors import (
    Denied,
    Exists,
    IntoItself,
    IsDirectory,
    IsLink,
    NotDirectory,
    NotSupported,
)
from ftpservice.storage.interfaces import MaskedMode
from ftpservice.storage.os_errors import translating_unsupported
from ftpservice.storage.rights import mode_keeps_owner
from ftpservice.wire.entry import Entry, Kind
from ftpservice.wire.paths import VirtualPath

__all__ = [
    "free_space",
    "make_directory",
    "remove_directory",
    "remove_file",
    "remove_unchanged",
    "rename",
    "set_mode",
    "set_modified",
]


def make_directory(tree: DirectoryTree, path: VirtualPath, mode: int) -> None:
    """Create a directory with exactly these permission bits, whatever the process's umask.

    If the parent has a default ACL, the kernel computes the bits from it and ``mode``.
    """
    if path.is_root:
        raise Exists(path)
    check_new_name(path)
    with tree.parent(path) as place:
        if has_default_acl(place.directory):  # the kernel applies it instead of a umask
            requested = mode.requested if isinstance(mode, MaskedMode) else mode
            os.mkdir(place.name, requested & 0o777, dir_fd=place.directory)
            return
        os.mkdir(place.name, mode & 0o777, dir_fd=place.directory)
        try:
            made = os.open(place.name, DIRECTORY_FLAGS | os.O_NOFOLLOW, dir_fd=place.directory)
        except OSError:  # no descriptor is left: what gets an error has changed nothing
            with suppress(OSError):
                os.rmdir(place.name, dir_fd=place.directory)
            raise
    try:
        with ignore_unsupported():
            _set_mode(made, mode)
    finally:
        os.close(made)


@reports_mount_points
def remove_directory(tree: DirectoryTree, path: VirtualPath, partials: DirectoryPartials) -> None:
    """Remove a directory that is empty except for ``partials`` that may be removed with it."""
    if path.is_root:
        raise Denied(path)
    with tree.parent(path) as place:
        partials.check_lazy_uploads(place, path)
        try:
            os.rmdir(place.name, dir_fd=place.directory)
        except OSError as error:
            if error.errno == errno.ENOTDIR and place.is_link():
                raise IsLink(path) from None
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            partials.remove(place, path)
            os.rmdir(place.name, dir_fd=place.directory)


@reports_mount_points
def remove_file(
    tree: DirectoryTree, path: VirtualPath, owner: str, trash: TrashBin | None = None
) -> None:
    """Remove a file or link and ``owner``'s partial upload of it, or only the latter.

    With ``trash``, the file is moved there.
    """
    if path.is_root:
        raise IsDirectory(path)
    with tree.parent(path) as place:
        facts = place.facts()
        if facts is not None and stat.S_ISDIR(facts.st_mode):
            raise IsDirectory(path)
        try:
            if trash is None:
                os.unlink(place.name, dir_fd=place.directory)
            elif facts is None:  # a file that gets the name now is not the one to be removed
                raise FileNotFoundError(errno.ENOENT, "no such file")
            else:
                trash.keep(place, path)
        except FileNotFoundError:
            remove_partial_alone(place, path, owner)
        else:
            discard_idle(place.directory, partial_name(owner, place.name))


@reports_mount_points
def remove_unchanged(
    tree: DirectoryTree, path: VirtualPath, entry: Entry, partials: DirectoryPartials
) -> None:
    """Remove a file or an empty directory if it is still the one of ``entry``.

    ``partials`` tells of uploads into the directory that have not begun to write.
    """
    if path.is_root:
        raise Denied(path)
    with tree.parent(path) as place:
        if entry.kind is Kind.DIRECTORY:
            partials.check_lazy_uploads(place, path)
            remove_empty_directory(place, path, entry)
        else:
            remove_unchanged_file(place, path, entry)


@reports_mount_points
def rename(
    tree: DirectoryTree,
    source: VirtualPath,
    target: VirtualPath,
    replace: bool,
    trash: TrashBin | None = None,
) -> None:
    """Rename in one step; only a file is replaced, and only if ``replace``.

    With ``trash``, what is replaced is kept there.
    """
    if source.is_root or target.is_root:
        raise Denied(source)
    if source != target and target.is_within(source):
        raise IntoItself(target)
    check_new_name(target)
    with tree.parent(source) as old, tree.parent(target) as new:
        try:
            rename_exclusive(old.name, new.name, old.directory, new.directory)
        except FileExistsError:
            if not replace:
                raise Exists(target) from None
            _rename_over(old, new, target, trash)


def _rename_over(
    old: DirectoryEntry, new: DirectoryEntry, target: VirtualPath, trash: TrashBin | None
) -> None:
    moving, there = old.facts(), new.facts()
    if moving is None or there is None or not os.path.samestat(moving, there):
        _check_replaceable(moving, there, target)
        with nullcontext() if trash is None else trash.replacing(new, target):
            os.rename(old.name, new.name, src_dir_fd=old.directory, dst_dir_fd=new.directory)


def _check_replaceable(
    moving: os.stat_result | None, there: os.stat_result | None, target: VirtualPath
) -> None:
    """Raise the error of a rename that may not replace; rename(2) replaces empty directories."""
    from_directory = moving is not None and stat.S_ISDIR(moving.st_mode)
    to_directory = there is not None and stat.S_ISDIR(there.st_mode)
    if to_directory:
        raise Exists(target) if from_directory else IsDirectory(target)
    if from_directory and there is not None:
        raise NotDirectory(target)


def set_mode(tree: DirectoryTree, path: VirtualPath, mode: int) -> None:
    """Set the lower nine permission bits of a file or directory; the root remains usable."""
    opened = _open_to_change(tree, path)
    try:
        if not mode_keeps_owner(mode) and os.path.samestat(os.fstat(opened), os.fstat(tree.root)):
            raise Denied(path, "the owner would lose access to the root")
        with translating_unsupported(path):
            _set_mode(opened, mode)
    finally:
        os.close(opened)


def _set_mode(opened: int, mode: int) -> None:
    facts = os.fstat(opened)
    old = stat.S_IMODE(facts.st_mode)
    new = old & ~0o777 | mode & 0o777
    if stat.S_ISREG(facts.st_mode):  # not even the owner may let others run the file as the owner
        new &= ~SET_ID_BITS
    if new != old:
        os.chmod(proc_fd_path(opened), new)


def set_modified(tree: DirectoryTree, path: VirtualPath, modified: float) -> None:
    """Set the modification time; the access time remains."""
    opened = _open_to_change(tree, path)
    try:
        accessed = os.fstat(opened).st_atime_ns
        with translating_unsupported(path):
            os.utime(proc_fd_path(opened), ns=(accessed, round(modified * 1e9)))
    except (OverflowError, ValueError):
        raise NotSupported(path, f"invalid time: {modified}") from None
    finally:
        os.close(opened)


def _open_to_change(tree: DirectoryTree, path: VirtualPath) -> int:
    opened = tree.open(path, O_PATH)
    mode = os.fstat(opened).st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        os.close(opened)
        raise Denied(path, "neither file nor directory")
    return opened


def free_space(tree: DirectoryTree, path: VirtualPath) -> int:
    """Return the bytes that this process may still write there."""
    opened = tree.open(path, O_PATH)
    try:
        with translating_unsupported(path):
            facts = os.fstatvfs(opened)
    finally:
        os.close(opened)
    return facts.f_bavail * facts.f_frsize
