"""The uploads that are under way, so that no session of an account takes another's file away.

An upload to a name that another session of the same account is uploading to is refused while that
session is alive: its control connection stands and bytes still arrive. Otherwise it is cut, so
that a client whose network is gone can go on as soon as it is back. Uploads of different accounts
do not disturb each other: the last one that ends is the file.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred

from ftpservice.storage.errors import BeingUploaded
from ftpservice.stream.connection import StreamConnection
from ftpservice.wire.paths import VirtualPath

__all__ = ["SILENCE_SECONDS", "TAKEOVER_SECONDS", "ActiveUpload", "ActiveUploads"]

TAKEOVER_SECONDS = 5.0
"""Without a byte, after which a session from the same address may take an upload over."""
SILENCE_SECONDS = 20.0
"""The same for a session from another address."""


class ActiveUpload:
    """One upload; ``connection`` is what its bytes come over, once there is one."""

    __slots__ = ("_began", "_bells", "appends", "connection", "cut", "host", "is_live", "key")

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
        """Whether its bytes go behind those of others (APPE), and replace nothing."""
        self.key = key
        self.host = host
        self.is_live = is_live
        """Tells whether its session is still there."""
        self.connection: StreamConnection | None = None
        self.cut: Callable[[], object] = self._abort
        """Ends its transfer, which then ends by itself."""
        self._began = began
        self._bells: list[Deferred[None]] = []

    def _abort(self) -> None:
        if self.connection is not None:
            self.connection.abort()

    def looks_dead_to(self, host: str | None, now: float) -> bool:
        """Tell whether it looks dead to a session from ``host``."""
        if not self.is_live():
            return True
        connection = self.connection
        silent = now - self._began if connection is None else connection.silent_seconds()
        return silent >= (TAKEOVER_SECONDS if host == self.host else SILENCE_SECONDS)

    async def ended(self) -> None:
        """Wait until its transaction is over."""
        bell: Deferred[None] = Deferred()
        self._bells.append(bell)
        await bell

    def wake_waiter(self) -> None:
        """Wake those that wait for its end."""
        bells, self._bells = self._bells, []
        for bell in bells:
            bell.callback(None)


class ActiveUploads:
    """All uploads under way in this process, by account and path."""

    def __init__(self) -> None:
        self.active: dict[tuple[str, VirtualPath], ActiveUpload] = {}

    async def abort_dead_upload(
        self, key: tuple[str, VirtualPath], host: str | None, now: Callable[[], float]
    ) -> None:
        """Cut an upload to this name that looks dead, and wait for its end.

        Raises `BeingUploaded` where there is one that is alive.
        """
        while (other := self.active.get(key)) is not None:
            if not other.looks_dead_to(host, now()):
                raise BeingUploaded(key[1])
            other.cut()
            await other.ended()

    async def settle(self, key: tuple[str, VirtualPath]) -> None:
        """Wait for the end of an upload to this name whose session is gone, if there is one."""
        while (other := self.active.get(key)) is not None and not other.is_live():
            other.cut()
            await other.ended()

    def appends(self, key: tuple[str, VirtualPath]) -> bool:
        """Tell whether the upload to this name under way is one that appends."""
        other = self.active.get(key)
        return other is not None and other.appends

    def leave(self, upload: ActiveUpload) -> None:
        """Forget an upload whose transaction is over."""
        if self.active.get(upload.key) is upload:
            del self.active[upload.key]
        upload.wake_waiter()
