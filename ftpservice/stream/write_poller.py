"""Turns for many writable sockets, between the other work of the reactor.

A reactor serves everything that is ready before it polls again. With a hundred downloads in
progress a command would wait for a turn of each of them. Therefore these sockets are watched by a
separate epoll, which is one descriptor for the reactor: for a few milliseconds the writable sockets
get turns, in the order of the kernel; then the reactor serves its other descriptors.
"""

from __future__ import annotations

import select
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from weakref import WeakKeyDictionary, proxy

from twisted.internet.interfaces import IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

__all__ = ["WritePoller"]

SECONDS_PER_ROUND = 0.0001
"""Seconds of turns before the reactor serves its other descriptors."""


@implementer(IReadDescriptor)
class WritePoller:
    """Calls back for each writable socket; there is one instance per reactor (`of`).

    Has a descriptor only while it has sockets.
    """

    _known: WeakKeyDictionary[Any, WritePoller] = WeakKeyDictionary()

    def __init__(self, reactor: Any) -> None:
        self._reactor = proxy(reactor)
        self._poll: select.epoll | None = None
        self._turns: dict[int, Callable[[], object]] = {}

    @classmethod
    def of(cls, reactor: Any) -> WritePoller:
        """Return the instance of the reactor; created at the first call."""
        known = cls._known.get(reactor)
        if known is None:
            known = cls._known[reactor] = cls(reactor)
        return known

    def enter(self, descriptor: int, turn: Callable[[], object]) -> None:
        """Call ``turn`` whenever the socket is writable or broken, until it is removed."""
        if self._poll is None:
            self._poll = select.epoll()
        if not self._turns:
            self._reactor.addReader(self)
        self._poll.register(descriptor, select.EPOLLOUT)
        self._turns[descriptor] = turn

    @property
    def is_shared(self) -> bool:
        """Whether more than one socket has turns."""
        return len(self._turns) > 1

    def leave(self, descriptor: int) -> None:
        """Remove a socket, which may be closed already. May be repeated."""
        if self._turns.pop(descriptor, None) is None or self._poll is None:
            return
        with suppress(OSError):
            self._poll.unregister(descriptor)
        if not self._turns:
            self._reactor.removeReader(self)
            self._reactor.callLater(0, self._close)  # a descriptor that it serves must not change

    def _close(self) -> None:
        if self._poll is not None and not self._turns:
            self._poll.close()
            self._poll = None

    def doRead(self) -> None:
        """Give turns for a limited time; the reactor calls again while a socket needs one."""
        over = self._reactor.seconds() + SECONDS_PER_ROUND
        while self._turns and self._poll is not None and (ready := self._poll.poll(0, 1)):
            self._turns[ready[0][0]]()
            if self._reactor.seconds() >= over:
                return

    def fileno(self) -> int:
        """Return the descriptor, for the reactor."""
        return self._poll.fileno() if self._poll is not None else -1

    def logPrefix(self) -> str:
        """Return the name for the log."""
        return "data connections"

    def connectionLost(self, _reason: Failure) -> None:
        """End all turns: the reactor stops."""
        self._turns.clear()
        self._close()
