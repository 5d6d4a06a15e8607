"""A data connection on its way to its transfer: in clear there is no way to go, under TLS there is.

TLS begins as soon as the connection stands: some clients wait for it before they give the command,
others begin only behind the answer to the command. So time for it is counted from both.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IProtocol, IReactorTime

from ftpservice.data.channel import CannotConnect
from ftpservice.data.cover import Cover
from ftpservice.data.policy import DataSettings
from ftpservice.flow.connection import DataConnection
from ftpservice.flow.patience import Bell
from ftpservice.tls.transport import TLSTransport

__all__ = ["Arrival"]

STRANGER = "its TLS session is not that of the control connection"


class Arrival:
    """One connection that stands, or is about to; ``ready`` is called when it can be used."""

    def __init__(
        self,
        clock: IReactorTime,
        settings: DataSettings,
        cover: Cover | None,
        ready: Callable[[], object] = bool,
    ) -> None:
        self.is_ready = False
        """Whether a transfer can begin."""
        self.cover = cover
        self._clock = clock
        self._settings = settings
        self._ready = ready
        self._problem = ""
        self._bell: Bell | None = None
        made = self._made if cover is None else None
        self.protocol = DataConnection(clock, settings.stall_timeout, made)
        self.protocol.bears_truncation = settings.allow_truncated
        if cover is not None:
            self.protocol.when_lost = self._lost

    def accept(
        self, own: socket.socket, protocol: IProtocol, peer: tuple[Any, ...], reactor: Any
    ) -> TLSTransport:
        """Begin TLS on a connection that was accepted."""
        assert self.cover is not None
        return self.cover.accept(self._secured, own, protocol, peer, reactor)

    def put_on(self, transport: Any) -> None:
        """Begin TLS on a connection that we have made."""
        assert self.cover is not None
        covered = self.cover.put_on(transport, self.protocol, self._secured)
        self.protocol.makeConnection(covered)

    async def connection(self) -> DataConnection:
        """Wait until a transfer can begin; raises `CannotConnect`."""
        timeout = self._settings.handshake_timeout
        if not self.is_ready and not self._problem:
            self._bell = Bell(self._clock)
            try:
                if not await self._bell.wait(timeout):
                    self._problem = f"no TLS in {timeout:g} seconds"
            except BaseException:
                self.dismiss()
                raise
        if self._problem:
            self.dismiss()
            raise CannotConnect(self._problem)
        return self.protocol

    def dismiss(self) -> None:
        """Be of no more use."""
        self._settle(self._problem or "the channel is closed")
        if self.protocol.transport is not None:
            self.protocol.dismiss()

    def _made(self, _connection: DataConnection) -> None:
        self.is_ready = True
        self._ready()

    def _secured(self) -> None:
        data = self.protocol.transport
        assert self.cover is not None and isinstance(data, TLSTransport)
        if self._settings.require_session_reuse and not self.cover.is_of(data):
            self._problem = STRANGER
            self.dismiss()
        elif not self._problem:
            self.protocol.when_lost = None
            self._made(self.protocol)
            self._settle("")

    def _lost(self, reason: str) -> None:
        self._settle(f"no TLS: {reason}")

    def _settle(self, problem: str) -> None:
        self._problem = self._problem or problem
        if self._bell is not None:
            self._bell.ring()
