"""A network in memory: a clock drives its connections, and they can have faults.

It replaces the reactor: it connects, listens and has a clock, but no threads. Nothing happens
before `settle` or `advance` is called, and then always in the same order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from ftpservice_client.testing.faults import Faults
from ftpservice_client.testing.pipe import MemoryPipe, PipeAddresses

__all__ = ["MemoryNetwork"]

FIRST_PORT = 40_000
MAX_ROUNDS = 100_000
LOCALHOST = "127.0.0.1"

AcceptFunction = Callable[[IPv4Address], Any]
"""Returns the server's protocol for a client address; None refuses the connection."""


class MemoryNetwork(Clock):
    """The reactor of a service and its clients."""

    def __init__(self) -> None:
        super().__init__()
        self.faults = Faults()
        """The faults of the next connections."""
        self._listening: dict[int, AcceptFunction] = {}
        self._numbers = FIRST_PORT

    def listen(self, accept: AcceptFunction, port: int = 0) -> int:
        """Accept connections on a port, 0: any; return the port."""
        port = port or self._next()
        self._listening[port] = accept
        return port

    def close(self, port: int) -> None:
        """Stop listening on a port; may be repeated."""
        self._listening.pop(port, None)

    def _next(self) -> int:
        self._numbers += 1
        return self._numbers

    def connectTCP(
        self, _host: str, port: int, factory: Any, *_: Any, **__: Any
    ) -> PendingMemoryConnection:
        """Connect, at the next `settle`; the host is ignored: there is only one."""
        return PendingMemoryConnection(self, IPv4Address("TCP", LOCALHOST, port), factory)

    def listenTCP(self, port: int, factory: Factory, *_: Any, **__: Any) -> MemoryListeningPort:
        """Listen on a port, 0: any."""
        return MemoryListeningPort(self, self.listen(factory.buildProtocol, port))

    def connect_to_listener(self, address: IPv4Address, client: Callable[[], Any]) -> bool:
        """Connect a client to the listener at an address; return whether there is one."""
        accept = self._listening.get(address.port)
        own = IPv4Address("TCP", LOCALHOST, self._next())
        server = accept(own) if accept is not None else None
        if server is None:
            return False
        kind = "data" if address.port > FIRST_PORT else "control"
        pipe = MemoryPipe(self, PipeAddresses(own, address), self.faults.of(kind))
        pipe.join(client(), server)
        return True

    def settle(self) -> None:
        """Run everything that is due now, until nothing is."""
        for _ in range(MAX_ROUNDS):
            if not self._is_due:
                return
            self.advance(0)
        raise AssertionError(f"calls were still due after {MAX_ROUNDS} rounds")

    @property
    def _is_due(self) -> bool:
        return any(call.getTime() <= self.seconds() for call in self.getDelayedCalls())

    def pass_time(self, seconds: float) -> None:
        """Advance the clock by ``seconds``, and run everything that is due by then, in order."""
        end = self.seconds() + seconds
        self.settle()
        while times := [call.getTime() for call in self.getDelayedCalls() if call.getTime() <= end]:
            self.advance(max(0.0, min(times) - self.seconds()))
            self.settle()
        self.advance(max(0.0, end - self.seconds()))


class PendingMemoryConnection:
    """A connection attempt (``IConnector``)."""

    def __init__(self, network: MemoryNetwork, address: IPv4Address, factory: Any) -> None:
        self._network = network
        self._address = address
        self._factory = factory
        factory.doStart()
        factory.startedConnecting(self)
        self._call = network.callLater(0, self._connect)

    def _connect(self) -> None:
        if not self._network.connect_to_listener(self._address, self._build):
            self._factory.clientConnectionFailed(self, Failure(ConnectionRefusedError()))

    def _build(self) -> Any:
        return self._factory.buildProtocol(self._address)

    def getDestination(self) -> IPv4Address:
        """Return the address of the listener."""
        return self._address

    def disconnect(self) -> None:
        """Cancel the attempt."""
        self.stopConnecting()

    def stopConnecting(self) -> None:
        """Cancel the attempt."""
        if self._call.active():
            self._call.cancel()


class MemoryListeningPort:
    """A listening port (``IListeningPort``)."""

    def __init__(self, network: MemoryNetwork, port: int) -> None:
        self._network = network
        self._port = port

    def getHost(self) -> IPv4Address:
        """Return the address."""
        return IPv4Address("TCP", LOCALHOST, self._port)

    def stopListening(self) -> None:
        """Stop listening."""
        self._network.close(self._port)
