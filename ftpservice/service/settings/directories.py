"""Creates the directories of the service, and gives files to the user that it becomes.

That user may own the directory of a file, and put a link in the place of its name. So root changes
the owner of what it has opened and looked at, never of a name.
"""

from __future__ import annotations

import errno
import os
import pwd
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from ftpservice.service.settings.errors import CannotStart, error_text

__all__ = [
    "NO_CHANGE",
    "Owner",
    "acting_as",
    "check_directories",
    "give_to",
    "groups_of",
    "make_directories",
    "require_place",
]

Owner = tuple[int, int]
"""User and group ids as for `os.chown`: -1 leaves one unchanged."""
NO_CHANGE: Owner = (-1, -1)
MAY_ADD = os.W_OK | os.X_OK
"""What `os.access` has to allow for a directory in which files are created."""


def make_directories(paths: Iterable[str], owner: Owner = NO_CHANGE) -> None:
    """Create those that are missing, with mode 0700; raises `CannotStart`.

    ``owner`` gets those that are new, and must be able to write to all.
    """
    for path in paths:
        try:
            if not os.path.lexists(path):
                os.mkdir(path, 0o700)
                give_to(owner, path)
        except OSError as error:
            raise _not_created(path, error) from None
        with acting_as(owner):
            may_write = os.path.isdir(path) and os.access(path, MAY_ADD, effective_ids=True)
        if not may_write:
            raise _not_writable(path, owner)


def check_directories(paths: Iterable[str], owner: Owner = NO_CHANGE) -> None:
    """Raise the error of `make_directories`, and create nothing.

    A path is followed by those inside it.
    """
    for path in paths:
        if os.path.lexists(path):
            with acting_as(owner):
                may_write = os.path.isdir(path) and os.access(path, MAY_ADD, effective_ids=True)
            if not may_write:
                raise _not_writable(path, owner)
            continue
        try:
            require_place(path)
        except OSError as error:
            raise _not_created(path, error) from None
        with acting_as(owner):
            may_enter = os.access(os.path.dirname(path), os.X_OK, effective_ids=True)
        if not may_enter:
            raise _not_writable(path, owner)
        return  # those inside it will be created with it


def require_place(path: str) -> None:
    """Raise the `OSError` with which this user could not create ``path``, which is missing."""
    directory = os.path.dirname(path)
    os.stat(os.path.join(directory, ""))
    if not os.access(directory, MAY_ADD, effective_ids=True):
        is_read_only = os.statvfs(directory).f_flag & os.ST_RDONLY
        number = errno.EROFS if is_read_only else errno.EACCES
        raise OSError(number, os.strerror(number), path)


def _not_created(path: str, error: OSError) -> CannotStart:
    return CannotStart(
        f"cannot create the directory {path}: {error_text(error)} - create it or choose another "
        "--data-dir"
    )


def _not_writable(path: str, owner: Owner) -> CannotStart:
    whose = "" if owner == NO_CHANGE else f" of user {owner[0]} (chown -R)"
    return CannotStart(
        f"cannot write to {path} - make it a writable directory{whose}, or choose another "
        "--data-dir"
    )


def give_to(owner: Owner, path: str, mode: int | None = None) -> None:
    """Give a file, directory or socket of this user to ``owner``, with ``mode``; raises `OSError`.

    A symbolic link, a file with several names and a file of somebody else stay as they are.
    """
    if owner == NO_CHANGE and mode is None:
        return
    descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        is_single = stat.S_ISDIR(status.st_mode) or (
            status.st_nlink == 1 and (stat.S_ISREG(status.st_mode) or stat.S_ISSOCK(status.st_mode))
        )
        if is_single and status.st_uid == os.geteuid():
            # fchown(2) and fchmod(2) do not accept a descriptor of O_PATH.
            opened = f"/proc/self/fd/{descriptor}"
            if mode is not None:
                os.chmod(opened, mode)
            os.chown(opened, *owner)
    finally:
        os.close(descriptor)


@contextmanager
def acting_as(owner: Owner) -> Iterator[None]:
    """Have the effective ids and groups of ``owner`` meanwhile, if this is root.

    Files are then opened and created as by that user. For the start, which has one thread. Raises
    `CannotStart` if root may not do that.
    """
    if owner == NO_CHANGE or os.geteuid() != 0:
        yield
        return
    groups, gid = os.getgroups(), os.getegid()
    try:
        try:
            os.setgroups(groups_of(owner))
            os.setegid(owner[1])
            os.seteuid(owner[0])
        except OSError as error:
            raise CannotStart(f"cannot become user {owner[0]}: {error_text(error)}") from None
        yield
    finally:
        os.seteuid(0)
        os.setegid(gid)
        os.setgroups(groups)


def groups_of(owner: Owner) -> Sequence[int]:
    """Return the groups of a user: those of the group database, or only the own one."""
    uid, gid = owner
    try:
        return os.getgrouplist(pwd.getpwuid(uid).pw_name, gid)
    except KeyError:
        return [gid]
