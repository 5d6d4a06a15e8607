"""A data connection that the client makes to us (PASV, EPSV)."""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime

from ftpservice.data.channel import CannotConnect, Channel
from ftpservice.data.door import Door
from ftpservice.data.policy import DataSettings, PeerPolicy
from ftpservice.flow.connection import DataConnection
from ftpservice.flow.patience import Bell

__all__ = ["PassiveChannel"]


class PassiveChannel(Channel):
    """Waits at a door until the client has connected; strangers are closed and change nothing.

    A client that connects before its command is let in and waits; nothing is read from it.
    """

    def __init__(
        self, clock: IReactorTime, settings: DataSettings, policy: PeerPolicy, door: Door
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._policy = policy
        self._bell: Bell | None = None
        self._arrived: DataConnection | None = None
        self._door: Door | None = door
        self._closed = False
        door.admit = self._admit

    @property
    def connected(self) -> bool:
        """Whether the client is here; one who waits at the door is let in for that."""
        if self._door is not None:
            self._door.doRead()
        return self._arrived is not None

    async def connection(self) -> DataConnection:
        """Wait for the client; raises `CannotConnect`."""
        try:
            if self._arrived is None and not self._closed:
                await self._wait()
            arrived, self._arrived = self._arrived, None
        finally:
            self.close()
        if arrived is None:
            raise CannotConnect("the channel is closed")
        return arrived

    async def _wait(self) -> None:
        timeout = self._settings.data_timeout
        self._bell = Bell(self._clock)
        if not await self._bell.wait(timeout):
            raise CannotConnect(f"nobody connected in {timeout:g} seconds")

    def close(self) -> None:
        """Expect nobody any more, and dismiss a client that nobody asked for."""
        self._closed = True
        self._close_door()
        arrived, self._arrived = self._arrived, None
        if arrived is not None:
            arrived.dismiss()
        if self._bell is not None:
            self._bell.ring()

    def _admit(self, host: str) -> DataConnection | None:
        if not self._policy.accepts(host):
            return None
        self._close_door()
        return DataConnection(self._clock, self._settings.stall_timeout, self._welcome)

    def _welcome(self, connection: DataConnection) -> None:
        self._arrived = connection
        if self._bell is not None:
            self._bell.ring()

    def _close_door(self) -> None:
        door, self._door = self._door, None
        if door is not None:
            door.close()
