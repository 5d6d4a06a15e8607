"""A data connection under TLS until its transfer begins.

The handshake begins as soon as TCP is connected: some clients complete it before they send the
command, others begin it only after the reply to the command. So the handshake timeout is counted
from both.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IProtocol, IReactorTime

from ftpservice.data.channel import CannotOpenDataConnection
from ftpservice.data.data_tls import DataTLSContext
from ftpservice.data.peer_policy import DataSettings
from ftpservice.net.tls.transport import TLSTransport
from ftpservice.stream.connection import StreamConnection
from ftpservice.stream.stall_timeout import Wakeup

__all__ = ["PendingDataConnection"]

NOT_RESUMED_TEXT = "its TLS session is not that of the control connection"


class PendingDataConnection:
    """One connection; ``settled`` is called once: it is ready, or has a ``problem``."""

    def __init__(
        self,
        clock: IReactorTime,
        settings: DataSettings,
        data_tls: DataTLSContext,
        settled: Callable[[PendingDataConnection], object] = bool,
    ) -> None:
        self.is_ready = False
        """Whether the handshake is complete and a transfer can begin."""
        self.is_resumed = False
        """Whether it resumed the TLS session of the control connection."""
        self.problem = ""
        """Why it cannot be used, for a person."""
        self.since = clock.seconds()
        self.data_tls = data_tls
        self._clock = clock
        self._settings = settings
        self._settled: Callable[[PendingDataConnection], object] | None = settled
        self.protocol = StreamConnection(clock, settings.stall_timeout)
        self.protocol.accepts_truncated_tls = settings.allow_truncated
        self.protocol.when_lost = self._lost

    def accept(
        self, own: socket.socket, protocol: IProtocol, peer: tuple[Any, ...], reactor: Any
    ) -> TLSTransport:
        """Begin TLS on an accepted connection."""
        return self.data_tls.accept(self._secured, own, protocol, peer, reactor)

    def start_tls(self, transport: Any) -> None:
        """Begin TLS on a connection that this side has made."""
        secured = self.data_tls.start_tls(transport, self.protocol, self._secured)
        self.protocol.makeConnection(secured)

    def continue_handshake(self) -> None:
        """Take the next step of the handshake if bytes of the client have arrived."""
        data = self.protocol.transport
        assert isinstance(data, TLSTransport)
        data.continue_handshake()

    async def connection(self) -> StreamConnection:
        """Wait for the handshake; raises `CannotOpenDataConnection`."""
        if not self.is_ready and not self.problem:
            wakeup = Wakeup(self._clock)
            self._settled = lambda _pending: wakeup.wake_waiter()
            timeout = self._settings.handshake_timeout
            try:
                if not await wakeup.wait(timeout):
                    self.give_up(f"no TLS in {timeout:g} seconds")
            except BaseException:
                self.close_gracefully()
                raise
        if self.problem:
            raise CannotOpenDataConnection(self.problem)
        return self.protocol

    def give_up(self, problem: str) -> None:
        """Close the connection for this reason."""
        self._settle(problem)
        self.close_gracefully()

    def close_gracefully(self) -> None:
        """Close the connection; ``settled`` is not called any more."""
        self._settled = None
        self.problem = self.problem or "the channel is closed"
        if self.protocol.transport is not None:
            self.protocol.close_gracefully()

    def _secured(self) -> None:
        data = self.protocol.transport
        assert isinstance(data, TLSTransport)
        if self.problem:
            return
        self.is_resumed = self.data_tls.is_of(data)
        if self._settings.require_session_reuse and not self.is_resumed:
            self.give_up(NOT_RESUMED_TEXT)
        else:
            self.protocol.when_lost = None
            self.is_ready = True
            self._settle("")

    def _lost(self, reason: str) -> None:
        self._settle(f"no TLS: {reason}")

    def _settle(self, problem: str) -> None:
        self.problem = self.problem or problem
        settled, self._settled = self._settled, None
        if settled is not None:
            settled(self)
