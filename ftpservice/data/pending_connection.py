"""A data connection under TLS until its transfer begins.

The handshake begins as soon as TCP is connected: some clients complete it before they send the
command, others begin it only after the reply to the command. So the handshake timeout is counted
from both.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.interfaces import IProtocol, IReactorTime

from ftpservice.data.channel import CLOSED_TEXT, CannotOpenDataConnection
from ftpservice.data.data_tls import DataTLSContext
from ftpservice.data.peer_policy import DataSettings
from ftpservice.net.tls.transport import TLSTransport
from ftpservice.stream.connection import PendingStream, StreamConnection
from ftpservice.wire.units import seconds_text

__all__ = ["PendingDataConnection"]

NOT_RESUMED_TEXT = "its TLS session is not that of the control connection"


class PendingDataConnection(PendingStream):
    """One connection; ``settled`` is called with it once: it is ready, or has a ``problem``."""

    error: CannotOpenDataConnection | None

    def __init__(
        self,
        clock: IReactorTime,
        settings: DataSettings,
        data_tls: DataTLSContext,
        settled: Callable[[PendingDataConnection], object] = bool,
    ) -> None:
        super().__init__(clock, StreamConnection(clock, settings.stall_timeout))
        self.is_resumed = False
        """Whether it resumed the TLS session of the control connection."""
        self.since = clock.seconds()
        self.data_tls = data_tls
        self._settings = settings
        self._proves_session = settings.require_session_reuse or settings.passive_port is not None
        self.when_settled = partial(settled, self)
        self.stream.accepts_truncated_tls = settings.allow_truncated
        self.stream.when_lost = self._lost

    @property
    def problem(self) -> str:
        """Why it cannot be used, as text for users; empty if it can."""
        return "" if self.error is None else self.error.reason

    def accept(
        self, own: socket.socket, protocol: IProtocol, peer: tuple[Any, ...], reactor: Any
    ) -> TLSTransport:
        """Begin TLS on an accepted connection."""
        return self.data_tls.accept(self._secured, own, protocol, peer, reactor)

    def start_tls(self, transport: Any) -> None:
        """Begin TLS on a connection that this side has made."""
        secured = self.data_tls.start_tls(transport, self.stream, self._secured)
        self.stream.makeConnection(secured)

    def continue_handshake(self) -> None:
        """Take the next step of the handshake if bytes of the client have arrived."""
        data = self.stream.transport
        assert isinstance(data, TLSTransport)
        data.continue_handshake()

    async def connection(self) -> StreamConnection:
        """Wait for the handshake; raises `CannotOpenDataConnection`."""
        self.when_settled = None
        timeout = self._settings.handshake_timeout
        late = CannotOpenDataConnection(f"no TLS in {seconds_text(timeout)}")
        try:
            await self.wait_settled(timeout, late)
        except BaseException:
            self.close_gracefully()
            raise
        return self.stream

    def give_up(self, problem: str) -> None:
        """Close the connection for this reason."""
        self.settle(CannotOpenDataConnection(problem))
        self.close_gracefully()

    def close_gracefully(self) -> None:
        """Close the connection; ``settled`` is not called any more."""
        self.when_settled = None
        self.error = self.error or CannotOpenDataConnection(CLOSED_TEXT)
        if self.stream.transport is not None:
            self.stream.close_gracefully()

    def _secured(self) -> None:
        data = self.stream.transport
        assert isinstance(data, TLSTransport)
        if self.error is not None:
            return
        self.is_resumed = self.data_tls.is_of(data, proven=self._proves_session)
        if self._settings.require_session_reuse and not self.is_resumed:
            self.give_up(NOT_RESUMED_TEXT)
        else:
            self.settle()

    def _lost(self, reason: str) -> None:
        self.settle(CannotOpenDataConnection(f"no TLS: {reason}"))
