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

__all__ = ["SILENCE_SECONDS", "TAKEOVER_SECONDS", "ActiveUpload", "ActiveUploads", "UploadKey"]

UploadKey = tuple[str, VirtualPath]
"""Account and path."""

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

    __slots__ = (
        "abort",
        "appends",
        "began",
        "connection",
        "host",
        "is_live",
        "key",
        "table_key",
        "waiters",
    )

    def __init__(
        self,
        key: UploadKey,
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
        self.began = began
        """When its name was claimed."""
        self.waiters: list[Deferred[None]] = []
        """Sessions that wait for its end."""
        self.table_key = b""
        """Its key where several processes record uploads."""

    def _abort_connection(self) -> None:
        if self.connection is not None:
            self.connection.abort()

    def is_dead_for(self, host: str | None, now: float) -> bool:
        """Return whether a session from ``host`` may abort it."""
        if not self.is_live():
            return True
        connection = self.connection
        silent = now - self.began if connection is None else connection.silent_seconds()
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
    """The uploads under way in this process.

    If there are others that may have an upload to the same name (``is_shared``), each name is
    claimed by `claim`; otherwise one that is not in ``active`` may be entered there.
    """

    is_shared = False

    def __init__(self) -> None:
        self.active: dict[UploadKey, ActiveUpload] = {}
        """By account and path."""

    async def claim(self, upload: ActiveUpload, now: Callable[[], float]) -> bool:
        """Claim the name of an upload; raises `BeingUploaded` while another one to it is alive.

        Sessions that append may do so at the same time, but not together with one that replaces:
        their bytes would be lost. False if the upload appends, like another one to this name.
        """
        key = upload.key
        if upload.appends:
            await self.wait_for_end(key)
            if self.appends(key):
                return False
        await self.abort_dead_upload(key, upload.host, now)
        upload.began = now()
        self.active[key] = upload
        return True

    def is_active(self, key: UploadKey) -> bool:
        """Return whether an upload to this name is under way."""
        return key in self.active

    async def abort_dead_upload(
        self, key: UploadKey, host: str | None, now: Callable[[], float]
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

    async def wait_for_end(self, key: UploadKey) -> None:
        """Abort an upload to this name whose session has ended, and wait for its end."""
        while (other := self.active.get(key)) is not None and not other.is_live():
            other.abort()
            await other.ended()

    def appends(self, key: UploadKey) -> bool:
        """Return whether the upload under way to this name appends."""
        other = self.active.get(key)
        return other is not None and other.appends

    def leave(self, upload: ActiveUpload) -> None:
        """Remove an upload whose transaction has ended."""
        if self.active.get(upload.key) is upload:
            del self.active[upload.key]
        if upload.waiters:
            upload.wake_waiters()
