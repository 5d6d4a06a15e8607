"""Messages between the main process and a worker: frames on a UNIX stream socket.

A frame is its length in four bytes and a marshalled tuple: the message's name, and plain values.
A process never waits for the other: `Channel.is_paused` tells that what was sent is not read, and
the sender then decides what to keep.
"""

from __future__ import annotations

import marshal
import socket
import struct
from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

__all__ = ["Channel", "Handlers"]

log = Logger("ftpservice.workers")

LENGTH = struct.Struct("!I")
MAX_FRAME_BYTES = 64 * 1024 * 1024
MARSHAL_VERSION = 4

Handlers = Mapping[str, Callable[..., object]]
"""What to call for each message, with its values."""


@implementer(IPushProducer)
class Channel(Protocol):
    """One end; ``lost`` is called once when the other end is gone, after its last message."""

    def __init__(self, handlers: Handlers, lost: Callable[[], object]) -> None:
        self._handlers = handlers
        self._lost = lost
        self.received = bytearray()
        """What was read of messages that were not carried out."""
        self._is_detached = False
        self.is_paused = False
        """Whether the other end does not read what was sent."""
        self.unread_bytes = 0
        """Bytes sent since then."""
        self.resumed: Callable[[], object] = bool
        """Called when it reads again."""

    def adopt(self, own: socket.socket, reactor: Any) -> None:
        """Use a connected socket; closes ``own``."""
        factory = Factory.forProtocol(lambda: self)
        factory.noisy = False
        with own:
            reactor.adoptStreamConnection(own.fileno(), socket.AF_UNIX, factory)

    def connectionMade(self) -> None:
        """Be told when the other end does not read."""
        transport: Any = self.transport
        transport.registerProducer(self, True)

    def detach(self) -> None:
        """Read no more; what the other end has sent then is for whom the socket is handed over to.

        A part of that may already have been read: `received`.
        """
        self._is_detached = True
        transport: Any = self.transport
        transport.stopReading()

    def send(self, name: str, *values: Any) -> None:
        """Send a message; raises `ValueError` for a value that is not plain."""
        self.write(self.frame(name, *values))

    def frame(self, name: str, *values: Any) -> bytes:
        """Return the bytes of a message; raises `ValueError` for a value that is not plain."""
        content = marshal.dumps((name, *values), MARSHAL_VERSION)
        return LENGTH.pack(len(content)) + content

    def write(self, frame: bytes) -> None:
        """Send what `frame` has returned."""
        transport = self.transport
        if transport is not None:
            transport.write(frame)
            if self.is_paused:
                self.unread_bytes += len(frame)

    def close(self) -> None:
        """Close it after what was sent."""
        transport: Any = self.transport
        if transport is not None:
            transport.unregisterProducer()
            transport.loseConnection()

    def dataReceived(self, data: bytes) -> None:
        """Carry out the messages that are complete."""
        received = self.received
        received += data
        start, end = 0, len(received)
        while end - start >= LENGTH.size and not self._is_detached:
            (length,) = LENGTH.unpack_from(received, start)
            if length > MAX_FRAME_BYTES:
                self._break("too long")
                break
            if end - start - LENGTH.size < length:
                break
            start += LENGTH.size
            content = bytes(memoryview(received)[start : start + length])
            start += length
            self._carry_out(content)
        del received[:start]

    def _carry_out(self, content: bytes) -> None:
        try:
            name, *values = marshal.loads(content)
            handler = self._handlers.get(name)
        except (ValueError, TypeError, EOFError):
            self._break("damaged")
            return
        if handler is None:  # of another version, during an upgrade
            log.warn("a message between processes is not known: {name}", name=name)
            return
        try:
            handler(*values)
        except Exception:  # noqa: BLE001 - the next message is carried out whatever fails
            log.failure("the message {name} failed", name=name)

    def _break(self, what: str) -> None:
        transport: Any = self.transport
        log.error("the connection between processes is closed: a message is {what}", what=what)
        self._is_detached = True
        transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: ARG002 - Twisted's
        """Tell that the other end is gone."""
        self.transport = None
        self._lost()

    def pauseProducing(self) -> None:
        """Note that the other end does not read."""
        self.is_paused = True

    def resumeProducing(self) -> None:
        """Note that it does."""
        self.is_paused, self.unread_bytes = False, 0
        self.resumed()

    def stopProducing(self) -> None:
        """Do nothing: `connectionLost` follows."""
