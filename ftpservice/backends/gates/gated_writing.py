"""An upload that is published only when its gates have said yes.

Until then it is invisible, as any upload before its commit. After a no nothing of it is kept. If
the wait for an answer is cancelled, because the client has gone, what arrived is kept as that of
any interrupted upload: it can be resumed at its end, and the gates are asked again. A gate that
changes the name has the upload copied to a transaction of that name, which is published instead.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from twisted.internet.defer import CancelledError
from zope.interface import implementer

from ftpservice.backends.gates.gate_rules import AccountGates, GateRule
from ftpservice.storage.errors import (
    Busy,
    Exists,
    NotSupported,
    RefusedByGate,
    StorageError,
    Unavailable,
)
from ftpservice.storage.gates import IHeldFile, IHeldUpload, IPreparedWriting
from ftpservice.storage.interfaces import (
    ISpliceTarget,
    IStorage,
    IWriting,
    WriteMode,
    WriteRequest,
)
from ftpservice.wire.entry import Entry
from ftpservice.wire.paths import BadPath, VirtualPath

__all__ = ["GatedWriting", "require_held"]

COPY_SIZE = 1 << 20


def _version_of(entry: Entry) -> tuple[object, ...]:
    """Return what differs after a change of a file."""
    return entry.kind, entry.unique, entry.size, entry.modified, entry.changed


@implementer(IWriting, IPreparedWriting)
class GatedWriting:
    """``inner``, an upload of ``storage`` by ``request``, which has to be an `IHeldUpload`.

    ``asked_path`` is the name that was asked for. ``appended_to`` is the file that it will replace
    with a longer one.
    """

    def __init__(
        self,
        inner: IWriting,
        storage: IStorage,
        gates: AccountGates,
        asked_path: VirtualPath,
        request: WriteRequest,
    ) -> None:
        self.offset: int = inner.offset
        self.appended_to: Entry | None = None
        self.renamed_from = ""
        self._inner = inner
        self._held = IHeldUpload(inner)
        self._storage = storage
        self._gates = gates
        self._asked_path = asked_path
        self._request = request
        self._copy: IWriting | None = None
        """The transaction of the name that a gate has chosen."""
        self._is_prepared = False

    @property
    def path(self) -> VirtualPath:
        """The name that it will be published under."""
        path: VirtualPath = (self._copy or self._inner).path
        return path

    def __conform__(self, interface: object) -> object:
        return ISpliceTarget(self._inner, None) if interface is ISpliceTarget else None

    async def write(self, data: bytes) -> None:
        """Add ``data``."""
        await self._inner.write(data)

    async def prepare(self) -> None:
        """Ask the gates; raises `RefusedByGate`."""
        self._is_prepared = True
        try:
            held: IHeldFile = await self._held.open_held()
            try:
                path, is_unique = await self._accepted_name(held)
                if path != self._inner.path or is_unique:
                    await self._copy_to(path, is_unique, held)
            finally:
                held.close()
        except BaseException as error:
            is_resumable = isinstance(error, StorageError | CancelledError)
            if isinstance(error, RefusedByGate) or self.renamed_from or not is_resumable:
                self._held.keep_nothing()
            await self.abandon()
            raise

    async def _accepted_name(self, held: IHeldFile) -> tuple[VirtualPath, bool]:
        """Ask each gate of each name once; return the name, and whether a number may be added."""
        path, is_unique = self._inner.path, False
        asked: set[GateRule] = set()
        while rule := self._next_rule(path, asked):
            asked.add(rule)
            answer = await self._gates.ask_upload(rule, path, held, self.renamed_from)
            if answer.name and not self.renamed_from:
                try:
                    path, is_unique = path.parent.joined(answer.name), answer.is_unique
                except BadPath as error:
                    raise Unavailable(path, f"the gate {rule.name}: {error}") from None
        return path, is_unique

    def _next_rule(self, path: VirtualPath, asked: set[GateRule]) -> GateRule | None:
        names = (path,) if path != self._inner.path else (self._asked_path, path)
        return next((rule for rule in self._gates.for_upload(*names) if rule not in asked), None)

    async def _copy_to(self, path: VirtualPath, is_unique: bool, held: IHeldFile) -> None:
        """Write the upload to a transaction of another name."""
        mode = self._request.write_mode
        if is_unique:
            mode = WriteMode.UNIQUE
        elif mode is WriteMode.UNIQUE:
            mode = WriteMode.CREATE
        await self._make_directories(path.parent)
        request = replace(
            self._request, write_mode=mode, offset=0, announced=held.size, partial_only=False
        )
        copy = await self._storage.open_writing(path, request)
        self._copy = copy
        IHeldUpload(copy).keep_nothing()
        position = 0
        while data := await held.read(position, COPY_SIZE):
            await copy.write(data)
            position += len(data)

    async def _make_directories(self, path: VirtualPath) -> None:
        for depth in range(1, len(path.parts) + 1):
            with suppress(Exists):
                await self._storage.make_directory(VirtualPath(path.parts[:depth]))

    async def commit(self) -> Entry:
        """Publish the file, after the gates have said yes."""
        if not self._is_prepared:
            await self.prepare()
        if self._copy is None:
            await self._require_unchanged()
            return await self._inner.commit()
        try:
            entry = await self._copy.commit()
        finally:
            self._held.keep_nothing()
            await self._inner.abandon()
        return entry

    async def _require_unchanged(self) -> None:
        """Raise `Busy` if the file that was appended to has changed since its bytes were copied.

        Raises `PathNotFound` if it was removed or renamed.
        """
        before = self.appended_to
        if before is None:
            return
        try:
            now = await self._storage.stat(self._inner.path)
            if _version_of(now) != _version_of(before):
                raise Busy(self._inner.path, "it was changed while it was appended to")
        except StorageError:
            await self.abandon()
            raise

    async def abandon(self) -> None:
        """End without publishing; of an append nothing is kept."""
        if self.appended_to is not None:
            self._held.keep_nothing()
        try:
            if self._copy is not None:
                await self._copy.abandon()
        finally:
            await self._inner.abandon()


def require_held(inner: IWriting, path: VirtualPath) -> None:
    """Raise `NotSupported` for an upload that no gate can read."""
    if IHeldUpload(inner, None) is None:
        raise NotSupported(path, "a gate cannot read the uploads of this storage")
