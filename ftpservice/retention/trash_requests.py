"""What administrators do with the trash of accounts: list, restore, empty.

The rights of the account do not count, and nothing is refused by its quota; what changes is charged
to it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred

from ftpservice.accounts.account_record import AccountRecord
from ftpservice.accounts.checkers import LoginUnavailable
from ftpservice.accounts.realm import Realm
from ftpservice.activity.admin_actions import BadRequest
from ftpservice.concurrency.task import Task
from ftpservice.events import FileChanged
from ftpservice.retention.account_files import open_account_files
from ftpservice.storage.errors import Exists, NotInTrash, StorageError
from ftpservice.storage.interfaces import IStorage
from ftpservice.storage.trash import ITrash, TrashedFile, find_trashed, restore, trash_of
from ftpservice.wire.paths import BadPath, VirtualPath

__all__ = ["TrashRequests", "trashed_json"]

MAX_FILES = 10_000
"""Files that are listed."""

Request = Mapping[str, Any]


def trashed_json(one: TrashedFile) -> dict[str, Any]:
    """Return a file of the trash as JSON values."""
    return {
        "id": one.id,
        "path": str(one.path),
        "kind": one.kind.value,
        "size": one.size,
        "modified": one.modified,
        "deleted": one.deleted,
        "expires": one.expires,
        "overwritten": one.was_overwritten,
    }


class TrashRequests:
    """The requests of the control socket and the REST API; they fail with `BadRequest`."""

    def __init__(
        self,
        realm: Realm,
        publish: Callable[[FileChanged], object],
        seconds: Callable[[], float],
    ) -> None:
        self._realm = realm
        self._publish = publish
        self._seconds = seconds

    @property
    def by_name(self) -> dict[str, Callable[[Request], Deferred[Any]]]:
        """Return the actions by command."""
        return {
            "trash": lambda request: Task(self._told(self._list, request)).done,
            "trash-restore": lambda request: Task(self._told(self._restore, request)).done,
            "trash-empty": lambda request: Task(self._told(self._empty, request)).done,
        }

    async def _told(
        self, action: Callable[[IStorage, AccountRecord, Request], Awaitable[Any]], request: Request
    ) -> Any:
        user = str(request.get("user"))
        try:
            record = await self._realm.record_of(user)
            if record is None:
                raise BadRequest(f"there is no account {user!r}")
            files = await open_account_files(self._realm, record, keeps_trash=True)
            if files.storage is None:
                raise BadRequest(f"the root of {user!r} is missing")
            return await action(files.storage, record, request)
        except Exists as error:
            reason = f"there is something at {error.path}; use --replace, or another name (--to)"
            raise BadRequest(reason) from None
        except NotInTrash as error:
            what = error.detail or f"no deleted or overwritten file {error.path}"
            where = f"the trash of {user!r} has {what}"
            raise BadRequest(f"{where}; 'ftpservice trash list' shows paths and ids") from None
        except StorageError as error:
            raise BadRequest(f"{user!r}: {error}") from None
        except LoginUnavailable:
            raise BadRequest(f"{user!r}: the account store is not available") from None
        except BadPath as error:
            raise BadRequest(str(error)) from None

    async def _list(
        self, storage: IStorage, record: AccountRecord, request: Request
    ) -> dict[str, Any]:
        found = await trash_of(storage).trashed(_path(request, "file") or VirtualPath())
        return {
            "user": record.name,
            "keeps": None if record.trash is None else str(record.trash),
            "files": [trashed_json(one) for one in found[:MAX_FILES]],
            "omitted": max(0, len(found) - MAX_FILES),
            "bytes": sum(one.size for one in found),
        }

    async def _restore(
        self, storage: IStorage, record: AccountRecord, request: Request
    ) -> dict[str, Any]:
        path, number = _path(request, "file"), str(request.get("id") or "")
        if path is None and not number:
            raise BadRequest("give the path of a file, or its id")
        found = await find_trashed(storage, path, number)
        target = _path(request, "to") or found.path
        entry = await restore(storage, found, target, bool(request.get("replace")))
        who = (self._seconds(), 0, "", record.name)
        self._publish(FileChanged(*who, "restore", str(found.path), str(target)))
        return {"user": record.name, "path": str(target), "size": entry.size}

    async def _empty(
        self, storage: IStorage, record: AccountRecord, request: Request
    ) -> dict[str, Any]:
        trash: ITrash = trash_of(storage)
        gone = await trash.discard(await trash.trashed(_path(request, "file") or VirtualPath()))
        return {
            "user": record.name,
            "files": len(gone),
            "bytes": sum(one.size for one in gone),
        }


def _path(request: Request, key: str) -> VirtualPath | None:
    text = request.get(key)
    return None if text is None else VirtualPath.parse(str(text))
