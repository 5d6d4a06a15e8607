"""Storages of several parts, for tests of mounts."""

from ftpservice.backends.memory.storage import MemoryStorage
from ftpservice.backends.mounts.mount_rules import MountRules, RenameAcrossMounts
from ftpservice.backends.mounts.mount_table import MountedPart, MountTable
from ftpservice.backends.mounts.mounted_storage import MountedStorage
from ftpservice.storage.errors import Unavailable
from ftpservice.wire.paths import ROOT, VirtualPath

__all__ = ["down", "mounted", "part"]


def part(path, storage=None, *, read_only=False):
    """Return a part; without a storage one in memory."""
    storage = MemoryStorage() if storage is None else storage

    async def opens():
        return storage, (storage,)

    return MountedPart(VirtualPath.parse(path), opens, read_only)


def down(path):
    """Return a part whose storage is down."""

    async def opens():
        raise Unavailable(ROOT, "no such disk")

    return MountedPart(VirtualPath.parse(path), opens)


def mounted(clock, *parts, copies=False):
    """Return the storage of an account."""
    how = RenameAcrossMounts.COPY if copies else RenameAcrossMounts.REFUSE
    return MountedStorage(MountTable(parts), MountRules(clock, how))
