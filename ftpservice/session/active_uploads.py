"""The uploads under way, so that sessions of one account do not replace each other's files.

An upload to a name that another session of the same account is uploading to is refused while that
upload is alive: its control connection exists and bytes still arrive. Otherwise it is aborted, so
that a client whose network failed can resume as soon as it is back. If its data connection has
ended, the new upload waits until what had arrived is stored: a client that reconnects at once is
faster than that. Uploads of different accounts do not affect each other: the last one that ends is
the file.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from twisted.internet.defer import Deferred

from ftpservice.net.socket_state import is_established
from ftpservice.storage.errors import BeingUploaded
from ftpservice.wire.paths import VirtualPath

__all__ = ["SILENCE_SECONDS", "TAKEOVER_SECONDS", "ActiveUpload", "ActiveUploads"]

TAKEOVER_SECONDS = 5.0
"""Time without a byte after which a session from the same address may abort an upload."""
SILENCE_SECONDS = 20.0
"""The same for a session from another address."""


class UploadConnection(Protocol):
    """The connection over which the bytes of an upload arrive."""

    @property
    def lost(self) -> bool:
        """Whether it has ended."""

    @property
    def transport(self) -> object:
        """Its transport."""

    def silent_seconds(self) -> float:
        """Return the time since the last byte."""

    def abort(self) -> None:
        """Abort it."""


class ActiveUpload:
    """One upload; ``connection`` is its data connection, once there is one."""

    __slots__ = ("_began", "abort", "appends", "connection", "host", "is_live", "key", "waiters")

    def __init__(
        self,
        key: tuple[str, VirtualPath],
        host: str | None,
        is_live: Callable[[], bool],
        began: float,
        *,
        appends: bool = False,
    ) -> None:
        self.appends = appends
        """Whether it adds to the file (APPE) and replaces nothing."""
        self.key = key
        self.host = host
        self.is_live = is_live
        """Returns whether its session still has a client."""
        self.connection: UploadConnection | None = None
        self.abort: Callable[[], object] = self._abort_connection
        """Aborts its transfer, which then ends by itself."""
        self._began = began
        self.waiters: list[Deferred[None]] = []
        """Sessions that wait for its end."""

    def _abort_connection(self) -> None:
        if self.connection is not None:
            self.connection.abort()

    def is_dead_for(self, host: str | None, now: float) -> bool:
        """Return whether a session from ``host`` may abort it."""
        if not self.is_live():
            return True
        connection = self.connection
        silent = now - self._began if connection is None else connection.silent_seconds()
        return silent >= (TAKEOVER_SECONDS if host == self.host else SILENCE_SECONDS)

    def is_ending(self) -> bool:
        """Return whether its data connection has ended: no further bytes arrive."""
        connection = self.connection
        if connection is None:
            return False
        return connection.lost or not is_established(connection.transport)

    async def ended(self) -> None:
        """Wait until its transaction is over."""
        waiter: Deferred[None] = Deferred()
        self.waiters.append(waiter)
        await waiter

    def wake_waiters(self) -> None:
        """Wake the sessions that wait for its end."""
        waiters, self.waiters = self.waiters, []
        for waiter in waiters:
            waiter.callback(None)


class ActiveUploads:
    """The uploads under way in this process."""

    def __init__(self) -> None:
        self.active: dict[tuple[str, VirtualPath], ActiveUpload] = {}
        """By account and path."""

    async def abort_dead_upload(
        self, key: tuple[str, VirtualPath], host: str | None, now: Callable[[], float]
    ) -> None:
        """Abort an upload to this name that is dead, and wait for the end of one that is ending.

        Raises `BeingUploaded` if there is one that is alive.
        """
        while (other := self.active.get(key)) is not None:
            if other.is_dead_for(host, now()):
                other.abort()
            elif not other.is_ending():
                raise BeingUploaded(key[1])
            await other.ended()

    async def wait_for_end(self, key: tuple[str, VirtualPath]) -> None:
        """Abort an upload to this name whose session has ended, and wait for its end."""
        while (other := self.active.get(key)) is not None and not other.is_live():
            other.abort()
            await other.ended()

    def appends(self, key: tuple[str, VirtualPath]) -> bool:
        """Return whether the upload under way to this name appends."""
        other = self.active.get(key)
        return other is not None and other.appends

    def leave(self, upload: ActiveUpload) -> None:
        """Remove an upload whose transaction has ended."""
        if self.active.get(upload.key) is upload:
            del self.active[upload.key]
        if upload.waiters:
            upload.wake_waiters()
