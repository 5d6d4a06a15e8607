"""Creates the directories of the service, and gives files to the user that it becomes.

That user may own the directory of a file, and put a link in the place of its name. So root changes
the owner of what it has opened and looked at, never of a name.
"""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from ftpservice.service.settings.errors import CannotStart, error_text

__all__ = ["NO_CHANGE", "Owner", "acting_as", "give_to", "groups_of", "make_directories"]

Owner = tuple[int, int]
"""User and group ids as for `os.chown`: -1 leaves one unchanged."""
NO_CHANGE: Owner = (-1, -1)


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
            raise CannotStart(
                f"cannot create the directory {path}: {error_text(error)} - "
                "create it or choose another --data-dir"
            ) from None
        with acting_as(owner):
            may_write = os.access(path, os.W_OK | os.X_OK, effective_ids=True)
        if not os.path.isdir(path) or not may_write:
            whose = "" if owner == NO_CHANGE else f" of user {owner[0]} (chown -R)"
            raise CannotStart(
                f"cannot write to {path} - make it a writable directory{whose}, or choose "
                "another --data-dir"
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
