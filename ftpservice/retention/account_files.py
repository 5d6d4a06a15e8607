"""The files of an account for the service itself, not for a login of the account.

- Its rights do not count, and its quota refuses nothing; but what is removed is charged to the
  ledgers of all accounts that have the files in their tree.
- No symbolic link is followed: a storage that cannot promise that is `Unavailable`.
- A root or a mount whose directory is missing is not created.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

from ftpservice.accounts.account_record import AccountRecord, is_storage_string
from ftpservice.accounts.mounted_account import OpenRoot, mounted_parts, not_following
from ftpservice.accounts.realm import Realm
from ftpservice.backends.mounts.mount_table import MountedPart, MountTable, Opened
from ftpservice.backends.mounts.mounted_storage import MountedStorage
from ftpservice.backends.strings import directory_of
from ftpservice.storage.errors import NotDirectory, PathNotFound, StorageError, Unavailable
from ftpservice.storage.interfaces import IStorage
from ftpservice.storage.quota.ledgers.ledger import Place
from ftpservice.wire.entry import Kind
from ftpservice.wire.paths import ROOT, VirtualPath

__all__ = ["AccountFiles", "named_place", "open_account_files"]


@dataclass(frozen=True)
class AccountFiles:
    """The tree of an account; None for ``storage`` if its root is missing or cannot be opened."""

    storage: IStorage | None
    places: tuple[tuple[VirtualPath, Place], ...]
    """Where its root and its mounts are, by path in the tree; also of missing ones."""
    problems: tuple[StorageError, ...] = ()
    """Why parts of the tree cannot be opened."""
    read_only: frozenset[VirtualPath] = frozenset()
    """The mounts in which nothing is changed."""

    def place_of(self, path: VirtualPath) -> Place:
        """Return where a path is."""
        at, place = self._part_of(path)
        return (*place, *path.parts[len(at.parts) :])

    def is_writable(self, path: VirtualPath) -> bool:
        """Return whether a path is in no read-only mount."""
        return self._part_of(path)[0] not in self.read_only

    def leads_to_writable(self, directory: VirtualPath) -> bool:
        """Return whether anything below a directory is in no read-only mount."""
        return self.is_writable(directory) or any(
            at.is_within(directory) and at not in self.read_only for at, _place in self.places
        )

    def _part_of(self, path: VirtualPath) -> tuple[VirtualPath, Place]:
        around = [one for one in self.places if path.is_within(one[0])]
        return max(around, key=lambda one: len(one[0].parts))


async def open_account_files(
    realm: Realm, record: AccountRecord, keeps_trash: bool = False
) -> AccountFiles:
    """Return the files of an account; raises `StorageError` if it is not known where they are.

    Without ``keeps_trash``, what is deleted is not kept.
    """
    plain = replace(record, quota_bytes=None, quota_files=None, shares_quota=True)
    if not keeps_trash:
        mounts = tuple(replace(mount, trash=None) for mount in record.mounts)
        plain = replace(plain, trash=None, mounts=mounts)
    parts = mounted_parts(plain, realm.quotas, _existing(realm, not_following(realm.open_root)))
    roots = [record.root, *(mount.storage for mount in record.mounts)]
    places: list[tuple[VirtualPath, Place]] = []
    problems: list[StorageError] = []
    for part, root in zip(parts, roots, strict=True):
        try:
            places.append((part.path, await part.place(ROOT)))
        except PathNotFound:  # it may be there before the end of the run
            places.append((part.path, await named_place(realm, root, record.name)))
        except StorageError as error:
            problems.append(part.outside(error))
            places.append((part.path, await named_place(realm, root, record.name)))
    return AccountFiles(
        await _tree(realm, record, parts),
        tuple(places),
        tuple(problems),
        frozenset(part.path for part in parts if part.read_only),
    )


async def _tree(realm: Realm, record: AccountRecord, parts: list[MountedPart]) -> IStorage | None:
    if parts[0].opened is None:
        return None
    if not record.mounts:
        return await parts[0].storage()
    if realm.mount_rules is None:
        raise Unavailable(ROOT, "no rules for mounts")
    return MountedStorage(MountTable(parts), realm.mount_rules)


def _existing(realm: Realm, open_root: OpenRoot) -> OpenRoot:
    """Return what opens the same directories, but raises `PathNotFound` for a missing one."""

    async def opened(root: str, owner: str, holder: str) -> Opened:
        if not is_storage_string(root):
            home, source = await realm.home_of(root, owner, holder)
            try:
                entry = await (await source.storage(owner, ROOT)).stat(home)
            except NotDirectory:
                raise PathNotFound(ROOT) from None
            if entry.kind is not Kind.DIRECTORY:
                raise PathNotFound(ROOT)
        return await open_root(root, owner, holder)

    return opened


async def named_place(realm: Realm, root: str, name: str) -> Place:
    """Return where a root is, without opening it; raises `StorageError`."""
    if not is_storage_string(root):
        _whole, place = await realm.open_root("/", name, name)
        return (*place, *VirtualPath.parse(root).parts)
    directory = directory_of(root)
    if directory is None:
        return ("storage", root)
    check = realm.directories
    real = os.path.realpath(directory) if check is None else await check.real_path(directory)
    return ("local", *(part for part in real.split("/") if part))
