"""Sessions behind a load balancer with the PROXY protocol, versions 1 and 2.

An FTP server sends the first line and may have to refuse the client by its address. So, unlike the
wrapper it derives from, this one begins the session only when the header has been read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import Protocol, ServerFactory, connectionDone
from twisted.internet.tcp import Connection
from twisted.protocols.haproxy._wrapper import HAProxyProtocolWrapper, HAProxyWrappingFactory
from twisted.python.failure import Failure

from ftpservice.concurrency.timers import Deadline
from ftpservice.wire.proxy_header import BadProxyHeader, bytes_missing, complete_header

__all__ = ["ProxiedFactory", "ProxiedProtocol", "is_proxied"]

HEADER_TIMEOUT_SECONDS = 10.0
"""Seconds for the header to arrive."""


def is_proxied(transport: object) -> bool:
    """Return whether a session's addresses come from a PROXY header."""
    return isinstance(transport, HAProxyProtocolWrapper)


class EarlyDataProtocol(Protocol):
    """Takes the place of the session until the header has arrived; keeps what follows it."""

    def __init__(self) -> None:
        self.early = b""

    def dataReceived(self, data: bytes) -> None:
        """Keep the first bytes of the session."""
        self.early += data


class ProxiedProtocol(HAProxyProtocolWrapper):
    """Waits for the header, then begins the session."""

    def connectionMade(self) -> None:
        """Count the connection and wait for its header."""
        self.factory.registerProtocol(self)
        self._session, self.wrappedProtocol = self.wrappedProtocol, EarlyDataProtocol()
        self._deadline = Deadline(self.factory.clock, self.loseConnection)
        self._deadline.set(HEADER_TIMEOUT_SECONDS)
        self._is_waiting = True
        self.factory.count_waiting(1)
        self._early: bytes | None = b""
        self._header = b""
        self._read_on(b"")

    def dataReceived(self, data: bytes) -> None:
        """Read the header; once it is complete, start the session with the bytes after it."""
        if self._proxyInfo is None:
            self._read_on(data)
        if self._early is not None:
            try:
                header = complete_header(self._early + data)
            except BadProxyHeader:
                self.loseConnection()
                return
            self._early = self._early + data if header is None else None
            if header is None:
                return
            data = header
        super().dataReceived(data)
        beginning = self.wrappedProtocol
        if isinstance(beginning, EarlyDataProtocol) and self._proxyInfo is not None:
            self._end_wait()
            self.wrappedProtocol = self._session
            self._session.makeConnection(self)  # type: ignore[arg-type]  # as all wrappers do
            if beginning.early:
                self._session.dataReceived(beginning.early)

    def _read_on(self, data: bytes) -> None:
        """With ``exactly``, limit the next read to the rest of the header."""
        if self.factory.exactly:
            self._header += data
            reader: Any = self.transport
            reader.bufferSize = bytes_missing(self._header) or Connection.bufferSize

    def abort(self) -> None:
        """Abort the connection, if its session has not begun."""
        if isinstance(self.wrappedProtocol, EarlyDataProtocol):
            self.transport.abortConnection()  # type: ignore[union-attr]  # every stream has it

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Stop waiting; notify the session if it had begun."""
        self._end_wait()
        super().connectionLost(reason)

    def _end_wait(self) -> None:
        """Wait for the header no more."""
        self._deadline.clear()
        if self._is_waiting:
            self._is_waiting = False
            self.factory.count_waiting(-1)


class ProxiedFactory(HAProxyWrappingFactory):
    """Wraps a factory whose sessions come through a balancer."""

    protocol = ProxiedProtocol  # type: ignore[assignment]  # a class, as Twisted requires
    count_waiting: Callable[[int], object] = bool
    """Called with 1 and -1 when a connection begins and ends to wait for its header."""

    def __init__(self, wrapped: ServerFactory, clock: IReactorTime, exactly: bool = False) -> None:
        super().__init__(wrapped)
        self.clock = clock
        self.exactly = exactly
        """Whether the bytes after a header are left in the kernel: they may be TLS."""

    def doStop(self) -> None:
        """Stop listening; abort the connections whose header is incomplete."""
        for connection in tuple(self.protocols):
            connection.abort()
        super().doStop()

    def logPrefix(self) -> str:
        """Return what the log calls these connections."""
        return "ftp (proxied)"
