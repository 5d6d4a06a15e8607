"""A data connection that the client makes to us (PASV, EPSV)."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime

from ftpservice.data.arrival import Arrival
from ftpservice.data.channel import CannotConnect, Channel
from ftpservice.data.cover import Cover, in_clear
from ftpservice.data.door import Door
from ftpservice.data.policy import DataSettings, PeerPolicy
from ftpservice.data.ports import BACKLOG
from ftpservice.flow.aftermath import Aftermath
from ftpservice.flow.connection import DataConnection
from ftpservice.flow.patience import Bell

__all__ = ["PassiveChannel"]


class PassiveChannel(Channel):
    """Waits at a door until the client has connected; strangers are closed and change nothing.

    A client that connects before its command is let in and waits; nothing is read from it but a
    handshake. ``cover`` tells, when it connects, what TLS there is to be.
    """

    def __init__(
        self,
        clock: IReactorTime,
        settings: DataSettings,
        policy: PeerPolicy,
        door: Door,
        cover: Callable[[], Cover | None] = in_clear,
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._policy = policy
        self._cover = cover
        self._bell: Bell | None = None
        self._arrival: Arrival | None = None
        self._door: Door | None = door
        self._closed = False
        self.came_early = False
        """Whether the client began TLS before its command, as those do that wait for it to end."""
        self._is_wanted = False
        door.admit = self._admit
        Aftermath.of(clock).add(clock, self.watch)  # most commands come before that

    @property
    def connected(self) -> bool:
        """Whether the client is here; one who waits at the door is let in for that."""
        self._is_wanted = True
        for _ in range(BACKLOG):  # strangers may be first
            if self._door is None or not self._door.look():
                break
        return self._arrival is not None and self._arrival.is_ready

    @property
    def fits(self) -> bool:
        """Whether a connection that stands has the TLS that there is to be now."""
        return self._arrival is None or self._arrival.cover == self._cover()

    async def connection(self) -> DataConnection:
        """Wait for the client; raises `CannotConnect`."""
        try:
            if self._arrival is None and not self._closed:
                await self._wait()
            arrival, self._arrival = self._arrival, None
        finally:
            self.close()
        if arrival is None:
            raise CannotConnect("the channel is closed")
        return await arrival.connection()

    async def _wait(self) -> None:
        timeout = self._settings.data_timeout
        self._is_wanted = True
        self.watch()
        self._bell = Bell(self._clock)
        if not await self._bell.wait(timeout):
            raise CannotConnect(f"nobody connected in {timeout:g} seconds")

    def watch(self) -> None:
        """Let the client in as soon as it comes, whether its command has come or not."""
        if self._door is not None:
            self._door.watch()

    def close(self) -> None:
        """Expect nobody any more, and dismiss a client that nobody asked for."""
        self._closed = True
        self._close_door()
        arrival, self._arrival = self._arrival, None
        if arrival is not None:
            arrival.dismiss()
        self._ring()

    def _admit(self, host: str) -> DataConnection | None:
        door = self._door
        if door is None or not self._policy.accepts(host):
            return None
        self._door = None
        door.shut()
        cover = self._cover()
        self._arrival = arrival = Arrival(self._clock, self._settings, cover, self._ring)
        if cover is not None:
            self.came_early = not self._is_wanted
            door.accept = arrival.accept
            self._ring()  # who waits has other times to keep now
        return arrival.protocol

    def _ring(self) -> None:
        if self._bell is not None:
            self._bell.ring()

    def _close_door(self) -> None:
        door, self._door = self._door, None
        if door is not None:
            door.close()
