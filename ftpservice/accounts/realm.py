"""Turns a login that a checker vouched for into an `Account` with its files."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from twisted.cred.portal import IRealm
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import Interface, implementer

from ftpservice.accounts.account import Account, IAccount
from ftpservice.accounts.account_record import (
    AccountRecord,
    IAccountRecords,
    RecordedName,
    is_storage_string,
)
from ftpservice.accounts.checkers import name_text
from ftpservice.accounts.login_refusal import LoginRefused
from ftpservice.concurrency.task import Task
from ftpservice.events import LoginRefusal
from ftpservice.storage.errors import StorageError, Unavailable
from ftpservice.storage.interfaces import IStorageSource, IUnnamedSource
from ftpservice.storage.permissions import RestrictedStorage
from ftpservice.storage.rights import PRESETS, Right
from ftpservice.wire.paths import ROOT, VirtualPath

__all__ = ["ANONYMOUS_NAME", "Realm"]

log = Logger("ftpservice.accounts")

ANONYMOUS_NAME = "anonymous"

Granted = tuple[type[Interface], Any, Callable[[], None]]


@implementer(IRealm)
class Realm:
    """Gives each name the files, rights and limits on its record.

    A name that is on no record, because another checker vouched for it, has ``default_rights``
    from the root of ``source``. ``anonymous`` is where anonymous users start; without it there
    are none. ``open_source`` reads the storage strings of records; it raises `ValueError` or
    `OSError` for those it cannot.
    """

    def __init__(
        self,
        source: IStorageSource,
        records: Sequence[IAccountRecords] = (),
        *,
        open_source: Callable[[str], IStorageSource],
        anonymous: VirtualPath | None = None,
        default_rights: frozenset[Right] = PRESETS["full"],
    ) -> None:
        self._source = source
        self._records = tuple(records)
        self._open_source = open_source
        self._anonymous = anonymous
        self._default_rights = default_rights
        self._opened: dict[tuple[str, str], IStorageSource] = {}
        """By storage string, and by account for those of `IUnnamedSource`."""

    def requestAvatar(
        self,
        avatarId: Any,
        mind: object,  # noqa: ARG002 - the interface has it
        *interfaces: type[Interface],
    ) -> Deferred[Granted]:
        """Return the account; fails with `UnauthorizedLogin`, or `StorageError` without files."""
        if IAccount not in interfaces:
            raise NotImplementedError("this realm has accounts (IAccount), nothing else")
        return Task(self._granted(avatarId)).done

    async def stop(self) -> None:
        """Stop every source, the one given at the beginning too."""
        opened, self._opened = self._opened, {}
        for source in (self._source, *opened.values()):
            await source.stop()

    async def _granted(self, avatar_id: Any) -> Granted:
        account = await (self._guest() if avatar_id == () else self._member(avatar_id))
        return IAccount, account, lambda: None

    async def _guest(self) -> Account:
        if self._anonymous is None:
            raise LoginRefused(LoginRefusal.NO_ANONYMOUS)
        rights = PRESETS["read"]
        storage = await self._source.storage(ANONYMOUS_NAME, self._anonymous)
        return Account(ANONYMOUS_NAME, RestrictedStorage(storage, rights), rights, anonymous=True)

    async def _member(self, avatar_id: bytes | str) -> Account:
        name = name_text(avatar_id)
        record = self._record(avatar_id, name)
        if record is None:
            record = AccountRecord(name, "", rights=self._default_rights)
        if record.disabled:
            raise LoginRefused(LoginRefusal.DISABLED)
        storage = RestrictedStorage(await self._files(record), record.rights)
        return Account(
            name,
            storage,
            record.rights,
            max_sessions=record.max_sessions,
            rate_down=record.rate_down,
            rate_up=record.rate_up,
            tls_required=record.tls_required,
        )

    def _record(self, avatar_id: bytes | str, name: str) -> AccountRecord | None:
        if isinstance(avatar_id, RecordedName):
            return avatar_id.record
        found = (records.lookup(name) for records in self._records)
        return next((record for record in found if record is not None), None)

    def _files(self, record: AccountRecord) -> Awaitable[Any]:
        if is_storage_string(record.root):
            return self._opened_source(record.root, record.name).storage(record.name, ROOT)
        return self._source.storage(record.name, VirtualPath.parse(record.root))

    def _opened_source(self, text: str, name: str) -> IStorageSource:
        source = self._opened.get((text, "")) or self._opened.get((text, name))
        if source is None:
            try:
                source = self._open_source(text)
            except StorageError:
                raise
            except (ValueError, OSError) as error:
                log.error(
                    "the storage of {name!r} cannot be opened: {error}", name=name, error=error
                )
                raise Unavailable(ROOT, str(error)) from error
            owner = name if IUnnamedSource.providedBy(source) else ""
            self._opened[(text, owner)] = source
        return source
