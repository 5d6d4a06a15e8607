"""A relay between a client and the service that resets connections after a number of bytes.

It relays the control connection, replaces the port in replies to PASV and EPSV with its own, and
counts the bytes of data connections. A cut is an RST to both sides.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import maybeDeferred
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import ClientFactory, Factory, Protocol

__all__ = ["Network"]

LOCAL = "127.0.0.1"
EXTENDED = re.compile(rb"(229 [^\r\n]*\(\|\|\|)([0-9]+)(\|\))")
PASSIVE = re.compile(rb"(227 [^\r\n]*\([0-9]+,[0-9]+,[0-9]+,[0-9]+,)([0-9]+),([0-9]+)(\))")


class End(Protocol):
    """One end of a relayed connection."""

    def __init__(self, relay: Relay, far: bool) -> None:
        self.relay = relay
        self.far = far

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)
        self.relay.joined(self)

    def dataReceived(self, data: bytes) -> None:
        self.relay.passed(self, data)

    def connectionLost(self, reason: object = None) -> None:
        self.relay.left(self)


class Relay:
    """Two ends, the client's and the service's, with back-pressure in both directions."""

    def __init__(self, network: Network, port: int) -> None:
        self.network = network
        self.near: Any = End(self, far=False)
        self.far: Any = End(self, far=True)
        self._port = port

    def joined(self, end: End) -> None:
        """Connect to the service; start reading when both ends are connected."""
        if not end.far:
            end.transport.pauseProducing()
            factory = ClientFactory.forProtocol(lambda: self.far)
            factory.noisy = False
            factory.clientConnectionFailed = lambda *_: self.near.transport.abortConnection()
            reactor.connectTCP(LOCAL, self._port, factory)
            return
        self.near.transport.registerProducer(self.far.transport, True)
        self.far.transport.registerProducer(self.near.transport, True)
        self.near.transport.resumeProducing()
        self.network.open.add(self)

    def left(self, end: End) -> None:
        """Close the other end once its buffer is sent."""
        self.network.open.discard(self)
        other = self.near if end.far else self.far
        if other.transport is not None:
            other.transport.unregisterProducer()
            other.transport.loseConnection()

    def passed(self, end: End, data: bytes) -> None:
        """Relay bytes to the other end."""
        other = self.near if end.far else self.far
        other.transport.write(data)

    def cut(self) -> None:
        """Send an RST to both sides."""
        for end in (self.near, self.far):
            if end.transport is not None:
                end.transport.abortConnection()


class Control(Relay):
    """A control connection: replaces ports in replies and records commands."""

    def passed(self, end: End, data: bytes) -> None:
        """Relay bytes with the ports of the relay."""
        if end.far:
            data = EXTENDED.sub(self._extended, PASSIVE.sub(self._passive, data))
        else:
            self.network.commands += data.decode("utf-8", "replace").splitlines()
        super().passed(end, data)

    def _extended(self, match: re.Match[bytes]) -> bytes:
        return b"%b%d%b" % (match[1], self.network.data_port(int(match[2])), match[3])

    def _passive(self, match: re.Match[bytes]) -> bytes:
        port = self.network.data_port(int(match[2]) * 256 + int(match[3]))
        return b"%b%d,%d%b" % (match[1], port >> 8, port & 255, match[4])


class Data(Relay):
    """A data connection: counts bytes and cuts at the limit."""

    def __init__(self, network: Network, port: int, done: Callable[[], object]) -> None:
        super().__init__(network, port)
        self._done = done
        self._count = 0

    def joined(self, end: End) -> None:
        """Stop listening after one connection."""
        if not end.far:
            self._done()
        super().joined(end)

    def passed(self, end: End, data: bytes) -> None:
        """Relay bytes up to the limit, then cut."""
        limit = self.network.next_cut()
        if limit is None or self._count + len(data) < limit:
            self._count += len(data)
            super().passed(end, data)
            return
        super().passed(end, data[: limit - self._count])
        self.network.cut(self)


class Network:
    """Relays ``port`` to the service on ``target``; cuts a data connection after ``cuts`` bytes.

    Each number is for one data connection. With ``control`` the control connections are cut too.
    ``commands`` has the commands of the clients.
    """

    def __init__(self, target: int, *cuts: int, control: bool = False) -> None:
        self.commands: list[str] = []
        self.open: set[Relay] = set()
        self.cuts_left = list(cuts)
        self._control = control
        self._ports: list[IListeningPort] = []
        self.port = self._listen(lambda: Control(self, target))

    def _listen(self, relay: Callable[[], Relay]) -> int:
        factory = Factory.forProtocol(lambda: relay().near)
        factory.noisy = False
        port = reactor.listenTCP(0, factory, interface=LOCAL)
        self._ports.append(port)
        return int(port.getHost().port)

    def data_port(self, target: int) -> int:
        """Listen for one data connection to ``target``."""
        position = len(self._ports)
        return self._listen(
            lambda: Data(self, target, lambda: self._ports[position].stopListening())
        )

    def next_cut(self) -> int | None:
        """Return the limit of the next data connection, if there is one."""
        return self.cuts_left[0] if self.cuts_left else None

    def cut(self, data: Relay) -> None:
        """Cut a data connection, and the others with ``control``."""
        self.cuts_left.pop(0)
        for relay in list(self.open) if self._control else [data]:
            relay.cut()

    async def close(self) -> None:
        """Cut all connections and stop listening."""
        for relay in list(self.open):
            relay.cut()
        for port in self._ports:
            await maybeDeferred(port.stopListening)

    def arguments_of(self, verb: str) -> list[str]:
        """Return the arguments of each command with a verb."""
        words = [command.partition(" ") for command in self.commands]
        return [rest for word, _, rest in words if word.upper() == verb]
