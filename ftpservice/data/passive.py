"""A data connection that the client makes to us (PASV, EPSV)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IAddress, IListeningPort, IReactorTime
from twisted.internet.protocol import ServerFactory
from twisted.logger import Logger

from ftpservice.data.channel import CannotConnect, Channel
from ftpservice.data.policy import DataSettings, PeerPolicy
from ftpservice.data.ports import PassivePorts
from ftpservice.flow.connection import DataConnection
from ftpservice.flow.patience import Bell

__all__ = ["PassiveChannel"]

log = Logger()


class Door(ServerFactory):
    """Lets in whom ``admit`` makes a connection for, and closes on everybody else."""

    noisy = False

    def __init__(self, admit: Callable[[str], DataConnection | None]) -> None:
        self._admit = admit

    def buildProtocol(self, addr: IAddress | None) -> DataConnection | None:
        """Return the end for a connection from ``addr``; ``None`` has Twisted close it."""
        return self._admit(getattr(addr, "host", ""))

    def logPrefix(self) -> str:
        """Return what the log calls this port."""
        return "data port"


class PassiveChannel(Channel):
    """Listens until the client has connected; strangers are closed at once and change nothing.

    A client that connects before its command is let in and waits; nothing is read from it.
    """

    def __init__(self, clock: IReactorTime, settings: DataSettings, policy: PeerPolicy) -> None:
        self._clock = clock
        self._settings = settings
        self._policy = policy
        self._bell = Bell(clock)
        self._listening: IListeningPort | None = None
        self._arrived: DataConnection | None = None
        self._closed = False

    def listen(self, ports: PassivePorts, interface: str) -> int:
        """Begin, and return the port; raises `NoPortFree`, `CannotConnect`."""
        self._listening = ports.listen(interface, Door(self._admit))
        place: Any = self._listening.getHost()
        return int(place.port)

    @property
    def connected(self) -> bool:
        """Whether the client is here."""
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
        if not await self._bell.wait(timeout):
            raise CannotConnect(f"nobody connected in {timeout:g} seconds")

    def close(self) -> None:
        """Stop listening and dismiss a client that nobody asked for."""
        self._closed = True
        self._stop_listening()
        arrived, self._arrived = self._arrived, None
        if arrived is not None:
            arrived.dismiss()
        self._bell.ring()

    def _admit(self, host: str) -> DataConnection | None:
        if self._listening is None or not self._policy.accepts(host):
            return None
        self._stop_listening()
        return DataConnection(self._clock, self._settings.stall_timeout, self._welcome)

    def _welcome(self, connection: DataConnection) -> None:
        self._arrived = connection
        self._bell.ring()

    def _stop_listening(self) -> None:
        listening, self._listening = self._listening, None
        if listening is not None:
            stopping: Deferred[object] = maybeDeferred(listening.stopListening)
            stopping.addErrback(lambda failure: log.failure("a port did not close", failure))
