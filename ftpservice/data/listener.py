"""A listening socket for one data connection of one session's client.

The reactor's own ports are made for services that listen for long and say so in the log. A door
to keep open from one transfer to the next was measured too: it saves nothing, and a port that is
used again is one that others can foresee (RFC 2577 §8).
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IProtocol, IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from ftpservice.data.passive_ports import BACKLOG
from ftpservice.net.accepted_tcp import AcceptedTransport

__all__ = ["DataListener"]

AcceptPeer = Callable[[str], IProtocol | None]
"""Returns our end of a connection from a host; ``None`` closes it."""
MakeTransport = Callable[[socket.socket, IProtocol, tuple[Any, ...], Any], Any]
"""Makes a transport of a socket, for a protocol, to a peer, on a reactor."""


@implementer(IReadDescriptor)
class DataListener:
    """Accepts connections for whom ``admit`` makes an end; the others are closed at once.

    Who comes is let in when somebody looks, or at once when it is watched: a client that is quick
    has come before the one and given its command before the other, and is spared the visits to
    the reactor.
    """

    def __init__(self, reactor: Any, own: socket.socket) -> None:
        self.admit: AcceptPeer | None = None
        self.accept: MakeTransport = AcceptedTransport
        self._reactor = reactor
        self._own = own
        self._family = own.family
        self._is_watched = False
        self.port: int = own.getsockname()[1]

    @property
    def is_open(self) -> bool:
        """Whether anybody can come in."""
        return self._own.fileno() >= 0

    def fileno(self) -> int:
        """Return the descriptor, for the reactor."""
        return self._own.fileno()

    def logPrefix(self) -> str:
        """Return what the log calls this."""
        return "data port"

    def watch(self) -> None:
        """Let in whoever comes, from now on."""
        if self.is_open and not self._is_watched:
            self._is_watched = True
            self._reactor.addReader(self)

    def rest(self) -> None:
        """Let nobody in before somebody looks, or it is watched again."""
        if self._is_watched:
            self._is_watched = False
            self._reactor.removeReader(self)

    def doRead(self) -> None:
        """Accept one who waits; the reactor calls again while there are more."""
        self.look()

    def look(self) -> bool:
        """Accept one who waits; tell whether there was one."""
        try:
            descriptor, peer = self._own._accept()  # type: ignore[attr-defined]  # of `accept`, only this is needed
        except BlockingIOError:
            return False
        except ConnectionAbortedError:
            return True
        except OSError:
            self.close_now()  # no descriptor left: a port that is never accepted on would spin
            return False
        own = socket.socket(self._family, socket.SOCK_STREAM, 0, descriptor)
        protocol = self.admit(peer[0]) if self.admit is not None else None
        if protocol is None:
            own.close()
        else:
            protocol.makeConnection(self.accept(own, protocol, peer, self._reactor))
        return True

    def connectionLost(self, _reason: Failure) -> None:
        """Close, for the reactor stops."""
        self.close_now()

    def close(self) -> None:
        """Stop listening, after everybody who has connected was let in; may be repeated.

        To those that were not accepted yet the kernel would send an RST.
        """
        for _ in range(BACKLOG + 1):
            if not self.is_open or not self.look():
                break
        self.close_now()

    def close_now(self) -> None:
        """Stop listening, when the one that is waited for is in."""
        self.rest()
        self._own.close()
