"""The body of a request as it arrives, read by a coroutine that writes it to a storage.

The connection is held while too much is waiting, so memory is bounded however slow the storage is.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred

from ftpservice.net.socket_state import peer_has_closed, silent_seconds
from ftpservice.stream.errors import TransferAborted
from ftpservice.web.http.web_channel import REQUEST_SECONDS, WebChannel

__all__ = ["MAX_WAITING_BYTES", "RequestBody"]

MAX_WAITING_BYTES = 1 << 20
"""Bytes that wait for the storage before the connection is held."""
CUT_TEXT = "the connection ended before the upload did"

T = TypeVar("T")


class RequestBody:
    """The body on ``channel``, which is held until `next` is called."""

    stall_seconds = REQUEST_SECONDS
    """Time without a byte after which the connection ends; 0: none."""

    def __init__(self, channel: WebChannel) -> None:
        self._channel = channel
        self._pieces: list[bytes] = []
        self._size = 0
        self._is_complete = False
        self.lost = False
        """Whether the connection has ended."""
        self._waiter: Deferred[None] | None = None
        self._cancellable: Deferred[Any] | None = None
        self._is_held = True
        channel.hold()

    @property
    def transport(self) -> object:
        """The transport of the connection."""
        return self._channel.transport

    def silent_seconds(self) -> float:
        """Return the time since the last byte arrived."""
        return silent_seconds(self._channel.transport)

    def is_there(self) -> bool:
        """Return whether the client holds its end of the connection; asks the kernel."""
        return not self.lost and not peer_has_closed(self._channel.transport)

    def abort(self) -> None:
        """End the connection."""
        if not self.lost:
            self._channel.abort()

    def write(self, data: bytes) -> None:
        """Take a part of the body."""
        self._pieces.append(data)
        self._size += len(data)
        if self._size >= MAX_WAITING_BYTES and not self._is_held:
            self._is_held = True
            self._channel.hold()
        elif not self._is_held:
            self._channel.expect(self.stall_seconds)
        self._wake()

    def end(self) -> None:
        """Note that the body is complete."""
        self._is_complete = True
        self._wake()

    def cut(self) -> None:
        """Note that the connection is lost."""
        self.lost = True
        self._wake()
        if self._cancellable is not None:
            self._cancellable.cancel()

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            waiter.callback(None)

    async def next(self, most: int) -> bytes:
        """Return up to ``most`` bytes; none at the end.

        Raises `TransferAborted` if the connection is lost, after all that had arrived.
        """
        while not self._pieces:
            if self._is_complete:
                return b""
            if self.lost:
                raise TransferAborted(CUT_TEXT)
            self._read_on()
            self._waiter = Deferred()
            await self._waiter
        data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces = [data[most:]] if len(data) > most else []
        data = data[:most]
        self._size -= len(data)
        self._read_on()
        return data

    def _read_on(self) -> None:
        is_wanted = self._size < MAX_WAITING_BYTES and not (self._is_complete or self.lost)
        if self._is_held and is_wanted:
            self._is_held = False
            self._channel.proceed(self.stall_seconds)

    async def unless_cut(self, work: Awaitable[T]) -> T:
        """Return the result of ``work``, which is cancelled if the connection is lost.

        Raises `TransferAborted` then.
        """

        async def result() -> T:
            return await work

        self._cancellable = Deferred.fromCoroutine(result())
        if self.lost:
            self._cancellable.cancel()
        try:
            found: T = await self._cancellable
        except CancelledError:
            raise TransferAborted(CUT_TEXT) from None
        finally:
            self._cancellable = None
        return found
