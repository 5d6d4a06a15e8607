"""Listening sockets that another process or program has bound, as endpoints."""

from __future__ import annotations

import os
import socket
from typing import Any

from twisted.internet import unix
from twisted.internet.defer import Deferred, execute
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint
from twisted.python.lockfile import FilesystemLock
from zope.interface import implementer

__all__ = ["InheritedEndpoint", "InheritedUNIXPort"]


class InheritedUNIXPort(unix.Port):
    """A UNIX socket whose file belongs to another process: its mode and its end."""

    def __init__(self, *words: Any, **more: Any) -> None:
        super().__init__(*words, **more)
        self._bindPath = b"\0"  # of no file

    def _buildAddr(self, name: Any) -> Any:
        return super()._buildAddr(name or b"\0")

    def own_file(self, path: str) -> None:
        """Remove the file, and the lock beside it, at the end: they now belong to this process."""
        self._bindPath = os.fsencode(path)
        lock = self._bindPath + b".lock"
        if os.path.islink(lock):
            self.lockFile = FilesystemLock(lock)


@implementer(IStreamServerEndpoint)
class InheritedEndpoint:
    """Accepts connections on the socket of a descriptor, which is closed.

    ``owns_file``: the file of a UNIX socket is removed at the end.
    """

    def __init__(self, descriptor: int, family: int, reactor: Any, owns_file: bool = False) -> None:
        self._descriptor = descriptor
        self._family = socket.AddressFamily(family)
        self._reactor = reactor
        self._owns_file = owns_file

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Accept connections."""
        return execute(self._listen, protocolFactory)

    def _listen(self, factory: IProtocolFactory) -> IListeningPort:
        if self._family == socket.AF_UNIX:
            port = InheritedUNIXPort._fromListeningDescriptor(
                self._reactor, self._descriptor, factory
            )
            port.startListening()
            path = port.socket.getsockname()
            if self._owns_file and isinstance(path, str) and path:
                port.own_file(path)
        else:
            port = self._reactor.adoptStreamPort(self._descriptor, self._family, factory)
        os.close(self._descriptor)
        return port  # type: ignore[no-any-return]
