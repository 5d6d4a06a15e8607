"""What is told of files, of the rights to a directory and of the quota."""

from __future__ import annotations

from typing import Any

from ftpservice.session.context import SessionContext
from ftpservice.storage.directory_rights import IDirectoryRights
from ftpservice.storage.errors import Busy
from ftpservice.storage.interfaces import IStorage
from ftpservice.storage.quota_interfaces import IQuota, QuotaState
from ftpservice.storage.rights import Right
from ftpservice.wire.entry import Entry, Kind
from ftpservice.wire.paths import VirtualPath

__all__ = ["entry_facts", "quota_facts", "rights_facts"]

KINDS = {Kind.FILE: "file", Kind.DIRECTORY: "directory", Kind.LINK: "link", Kind.OTHER: "other"}


def entry_facts(entry: Entry, name: str | None = None) -> dict[str, Any]:
    """Return an entry; ``name`` is its own one by default."""
    return {
        "name": entry.name if name is None else name,
        "kind": KINDS[entry.kind],
        "size": entry.size,
        "modified": entry.modified,
        "mode": f"{entry.mode & 0o7777:04o}",
    }


def rights_facts(context: SessionContext, path: VirtualPath) -> dict[str, bool]:
    """Return what the account may do in a directory; its storage may refuse more."""
    ruled = IDirectoryRights(context.storage, None)
    rights = context.account.rights if ruled is None else ruled.table.rights_at(path)
    return {
        "list": Right.LIST in rights,
        "download": Right.READ in rights,
        "upload": not rights.isdisjoint({Right.CREATE, Right.OVERWRITE}),
        "replace": Right.OVERWRITE in rights,
        "delete": Right.DELETE in rights,
        "rename": Right.RENAME in rights,
        "make_directory": Right.MKDIR in rights,
        "remove_directory": Right.RMDIR in rights,
    }


async def quota_facts(storage: IStorage) -> dict[str, Any] | None:
    """Return the quota of an account and its use; None without one, or while it is counted."""
    quota = IQuota(storage, None)
    if quota is None:
        return None
    try:
        state: QuotaState = await quota.quota_state()
    except Busy:
        return None
    return {
        "bytes_used": state.size,
        "bytes_limit": state.size_limit,
        "files_used": state.files,
        "files_limit": state.files_limit,
    }
