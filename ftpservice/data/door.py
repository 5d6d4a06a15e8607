"""A listening socket of one session, through which its client's data connections come.

The reactor's own ports are made for services that listen for long: setting one up and taking it
down costs more than sending a small file. A door stays open from one transfer to the next, as
long as its port is nobody else's to have; who comes when nobody is expected is closed at once.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IProtocol, IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from ftpservice.flow.accepted import AcceptedTransport

__all__ = ["Door"]

Admit = Callable[[str], IProtocol | None]
"""Returns our end of a connection from a host; ``None`` closes it."""


@implementer(IReadDescriptor)
class Door:
    """Accepts connections for whoever expects one; ``expect`` says who."""

    def __init__(self, reactor: Any, own: socket.socket) -> None:
        self.used = 0
        """Connections that were admitted so far."""
        self._reactor = reactor
        self._own = own
        self._admit: Admit | None = None
        self.port: int = own.getsockname()[1]
        reactor.addReader(self)

    @property
    def is_open(self) -> bool:
        """Whether anybody can come in."""
        return self._own.fileno() >= 0

    @property
    def is_expecting(self) -> bool:
        """Whether somebody waits behind it."""
        return self._admit is not None

    def expect(self, admit: Admit | None) -> None:
        """Let in whom ``admit`` makes a connection for; with ``None`` nobody.

        Those who came before, when nobody was expected, are closed first.
        """
        self._admit = None
        if admit is not None:
            while self._accept():
                pass
            self._admit = admit

    def fileno(self) -> int:
        """Return the descriptor, for the reactor."""
        return self._own.fileno()

    def logPrefix(self) -> str:
        """Return what the log calls this."""
        return "data port"

    def doRead(self) -> None:
        """Accept, for the reactor."""
        self._accept()

    def _accept(self) -> bool:
        """Accept one who waits; the reactor asks again while there are more.

        Tells whether there may be more.
        """
        if not self.is_open:
            return False
        try:
            own, peer = self._own.accept()
        except BlockingIOError:
            return False
        except ConnectionAbortedError:
            return True
        except OSError:
            self.close()  # no descriptor left: a port that is never accepted on would spin
            return False
        self._enter(own, peer)
        return True

    def _enter(self, own: socket.socket, peer: tuple[Any, ...]) -> None:
        protocol = self._admit(peer[0]) if self._admit is not None else None
        if protocol is None:
            own.close()
            return
        self.used += 1
        protocol.makeConnection(AcceptedTransport(own, protocol, peer, self._reactor))

    def connectionLost(self, _reason: Failure) -> None:
        """Close, for the reactor stops."""
        self.close()

    def close(self) -> None:
        """Stop listening; may be repeated."""
        self._admit = None
        if self.is_open:
            self._reactor.removeReader(self)
            self._own.close()
