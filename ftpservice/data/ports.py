"""The ports that passive data connections come in on."""

from __future__ import annotations

import errno
import random
from collections.abc import Iterator
from typing import Any

from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory

from ftpservice.data.channel import CannotConnect
from ftpservice.data.policy import DataSettings

__all__ = ["NoPortFree", "PassivePorts"]

BACKLOG = 16
"""Connections that may wait on a port: of these one is wanted, the others are strangers'."""


class NoPortFree(CannotConnect):
    """Every port of the range is in use."""


class PassivePorts:
    """Opens listening ports for all sessions; random ones, so that a stranger cannot guess."""

    def __init__(self, reactor: Any, settings: DataSettings) -> None:
        self._reactor = reactor
        self._range = settings.passive_ports
        self._random = random.SystemRandom()

    def listen(self, interface: str, factory: IProtocolFactory) -> IListeningPort:
        """Listen on a free port; raises `NoPortFree`, or `CannotConnect` for other causes."""
        for port in self._candidates():
            try:
                listening: IListeningPort = self._reactor.listenTCP(
                    port, factory, BACKLOG, interface
                )
                return listening
            except CannotListenError as error:
                cause = getattr(error.socketError, "errno", None)
                if cause not in (errno.EADDRINUSE, errno.EACCES):
                    raise CannotConnect(f"cannot listen: {error.socketError}") from error
        raise NoPortFree("no port is free")

    def _candidates(self) -> Iterator[int]:
        """Yield the ports to try: the first one random, then its neighbours, round to it again."""
        if self._range is None:
            yield 0
            return
        first, last = self._range
        size = last - first + 1
        start = self._random.randrange(size)
        for step in range(size):
            yield first + (start + step) % size
