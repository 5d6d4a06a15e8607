"""A connection that carries nothing before its handshake is over."""

from __future__ import annotations

import ssl
from typing import Any

from twisted.internet import main
from twisted.internet.interfaces import IProtocol
from twisted.python.failure import Failure

from ftpservice.tls.handshake import Handshake, HandshakeProblem, Terms
from ftpservice.tls.watched import WatchedConnection

__all__ = ["GatedConnection"]


class GatedConnection(WatchedConnection):
    """A stream whose wishes to read and write have to wait for a handshake."""

    is_secured = False
    """Whether there was a handshake, to its end."""

    def __init__(self, own: ssl.SSLSocket, protocol: IProtocol, reactor: Any, terms: Terms) -> None:
        super().__init__(own, protocol, reactor)
        self._reads = self._writes = False
        self._handshake: Handshake | None = Handshake(self, terms, self._secured)

    def startReading(self) -> None:
        """Read, when the handshake is over."""
        self._reads = True
        if self._handshake is None:
            super().startReading()

    def stopReading(self) -> None:
        """Read nothing for now, but what belongs to the handshake."""
        self._reads = False
        if self._handshake is None:
            super().stopReading()

    def startWriting(self) -> None:
        """Write what is kept, when the handshake is over."""
        self._writes = True
        if self._handshake is None:
            super().startWriting()

    def stopWriting(self) -> None:
        """Write nothing for now, but what belongs to the handshake."""
        self._writes = False
        if self._handshake is None:
            super().stopWriting()

    def doRead(self) -> Any:
        """Go on with the handshake, or receive; called by the reactor."""
        if self._handshake is None:
            return self._receive()
        self._handshake.ready()
        return None

    def doWrite(self) -> Any:
        """Go on with the handshake, or send; called by the reactor."""
        if self._handshake is None:
            return super().doWrite()
        self._handshake.ready()
        return None

    def loseConnection(self, *_: object) -> None:
        """Close when all is sent; with nothing to send no handshake is waited for."""
        if self._handshake is None or self.dataBuffer or self._tempDataBuffer:
            super().loseConnection()
            if self._handshake is not None:
                self._handshake.hurry()
        elif not self.disconnecting:
            self.disconnecting = 1
            done = Failure(main.CONNECTION_DONE)
            self.reactor.callLater(0, self.connectionLost, done)

    def abortConnection(self) -> None:
        """Break the connection (RST), at once."""
        if not self.disconnected:
            self._end_handshake()
            super().abortConnection()

    def readConnectionLost(self, reason: Failure) -> None:
        """Tell the protocol of the peer's end."""
        if self._handshake is None:
            super().readConnectionLost(reason)
        else:
            self.connectionLost(Failure(HandshakeProblem("the connection ended before")))

    def connectionLost(self, reason: Failure) -> None:
        """Close, and tell the protocol."""
        self._end_handshake()
        super().connectionLost(reason)

    def _receive(self) -> Any:
        raise NotImplementedError

    def _secured(self) -> None:
        """Let in what waits; the handshake is over, and went well."""
        self.is_secured = True
        self._end_handshake()

    def _end_handshake(self) -> None:
        """Have the reactor do from now on what was wished for till now."""
        handshake, self._handshake = self._handshake, None
        if handshake is not None:
            handshake.stop()
            self.watch(self._reads, self._writes)
