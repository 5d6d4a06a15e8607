"""Write transactions on the disk: the side that callers see, whose work is done in a pool."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import TypeVar, TypeVarTuple

from zope.interface import implementer

from ftpservice.storage.blocking import Runner, let_go
from ftpservice.storage.errors import Unavailable
from ftpservice.storage.interfaces import IDescriptor, IWriting
from ftpservice.storage.local_append import Append
from ftpservice.storage.local_calls import called
from ftpservice.storage.local_errors import translated
from ftpservice.storage.local_openings import begin_writing
from ftpservice.storage.local_upload import Order, Upload
from ftpservice.wire.entry import Entry
from ftpservice.wire.paths import VirtualPath

__all__ = ["LocalWriting", "open_writing"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Exclusive:
    """An upload or append, used by one thread at a time and ended once."""

    def __init__(self, inner: Upload | Append) -> None:
        self.inner = inner
        self.ended = False
        self._lock = Lock()

    def call(self, function: Callable[[*Ts], T], *args: *Ts) -> T:
        """Call one of its methods, unless it is over."""
        with self._lock:
            self._check_open()
            return function(*args)

    def commit(self) -> Entry:
        """Publish and end; or keep what arrived, end and raise."""
        with self._lock:
            self._check_open()
            self.ended = True
            try:
                return self.inner.commit()
            except BaseException:
                self.inner.abandon()
                raise
            finally:
                self.inner.close()

    def abandon(self) -> None:
        """End without publishing, once no other call is in progress."""
        with self._lock:
            if not self.ended:
                self.ended = True
                try:
                    self.inner.abandon()
                finally:
                    self.inner.close()

    def _check_open(self) -> None:
        if self.ended:
            raise Unavailable(self.inner.path, "the transaction is over")


@implementer(IWriting, IDescriptor)
class LocalWriting:
    """A transaction whose steps are taken in a pool."""

    def __init__(self, runner: Runner, work: Exclusive) -> None:
        self._runner = runner
        self._work = work

    @property
    def path(self) -> VirtualPath:
        """What it will be published under."""
        return self._work.inner.path

    @property
    def offset(self) -> int:
        """Where the first written byte goes."""
        return self._work.inner.offset

    def fileno(self) -> int:
        """Return the descriptor, its position where the next byte goes.

        Raises `Unavailable` when the transaction is over.
        """
        if self._work.ended:
            raise Unavailable(self.path, "the transaction is over")
        return self._work.inner.descriptor

    async def write(self, data: bytes) -> None:
        """Add ``data``."""
        work = self._work
        await called(self._runner, self.path, work.call, work.inner.write, data)

    async def commit(self) -> Entry:
        """Publish the file."""
        return await called(self._runner, self.path, self._work.commit)

    async def abandon(self) -> None:
        """End the transaction; also when nobody waits for that."""
        with translated(self.path):
            await self._runner.finish(self._work.abandon)


def _begin(order: Order) -> Exclusive:
    return Exclusive(begin_writing(order))


async def open_writing(runner: Runner, order: Order) -> LocalWriting:
    """Begin a transaction and copy what it goes on from, in turns that others get between."""
    work = await called(runner, order.path, _begin, order, dispose=Exclusive.abandon)
    try:
        while await called(runner, order.path, work.call, work.inner.prepare):
            pass
    except BaseException:
        let_go(runner, work.abandon)
        raise
    return LocalWriting(runner, work)
