"""The shared passive port in a worker: the main process listens, and passes on the connections."""

from __future__ import annotations

import itertools
import socket
from dataclasses import astuple
from typing import Any

from twisted.internet.defer import CancelledError, Deferred

from ftpservice.data.data_tls import SessionReuseHabit
from ftpservice.data.shared_port import SharedPortListener
from ftpservice.data.waiting_sessions import DataPeer
from ftpservice.workers.channel import Channel
from ftpservice.workers.socket_passing import SocketReceiver

__all__ = ["RemoteSharedPort"]


class RemoteSharedPort:
    """Asks the main process for shares; stands in the place of `SharedPassivePort`."""

    def __init__(self, port: int, channel: Channel, end: socket.socket, reactor: Any) -> None:
        self.port = port
        self.reactor = reactor
        self.waiting = self
        """Whom the listeners tell what becomes of them."""
        self._channel = channel
        self._numbers = itertools.count(1)
        self._asked: dict[int, Deferred[bool]] = {}
        self._listeners: dict[int, SharedPortListener] = {}
        self._number_of: dict[SharedPortListener, int] = {}
        self._unheard: dict[DataPeer, int] = {}
        self._receiver = SocketReceiver(end, self._received, reactor)
        self._is_closed = False

    async def open_listener(
        self, expected: DataPeer, habit: SessionReuseHabit | None, timeout: float
    ) -> SharedPortListener | None:
        """Let a session wait for its connection, as soon as it is its turn; None if not in time."""
        if self._is_closed:
            return None
        listener, number = SharedPortListener(self, expected, habit), next(self._numbers)
        self._asked[number] = asked = Deferred[bool]()
        self._channel.send("data_wait", number, timeout, *astuple(expected))
        try:
            has_turn = await asked
        except CancelledError:
            self._channel.send("data_leave", number, False)
            raise
        finally:
            self._asked.pop(number, None)
        if not has_turn:
            return None
        listener.is_open = True
        self._listeners[number], self._number_of[listener] = listener, number
        return listener

    def turn(self, number: int, has_turn: bool) -> None:
        """It is the turn of a session, or that took too long."""
        asked = self._asked.get(number)
        if asked is not None:
            asked.callback(has_turn)

    def doubt(self, number: int) -> None:
        """Do not rely any more on a client's resuming its TLS session."""
        listener = self._listeners.get(number)
        if listener is not None:
            listener.doubt()

    def accept_pending(self) -> None:
        """Take the connections that the main process has passed on."""
        self._receiver.doRead()

    def leave(self, listener: SharedPortListener, connected: bool) -> None:
        """A session waits no more; ``connected``: its connection has arrived."""
        number = self._number_of.pop(listener)
        del self._listeners[number]
        self._channel.send("data_leave", number, connected)

    def lose_touch(self, peer: DataPeer) -> None:
        """The time of a session is over, and it has not been told so yet."""
        number = self._unheard[peer] = next(self._numbers)
        self._channel.send("data_unheard", number, *astuple(peer))

    def hear_from(self, peer: DataPeer) -> None:
        """A session after `lose_touch` has sent a command, or has ended."""
        number = self._unheard.pop(peer, 0)
        self._channel.send("data_heard", number)

    def close(self) -> None:
        """Take the connections that were passed on, and no more; nobody gets a turn any more."""
        self._is_closed = True
        self.accept_pending()
        self._receiver.close()
        for number, asked in tuple(self._asked.items()):
            self._channel.send("data_leave", number, False)
            asked.callback(False)

    def _received(self, number: int, own: socket.socket) -> None:
        listener = self._listeners.get(number)
        try:
            peer = own.getpeername()
        except OSError:  # it was reset on its way
            listener, peer = None, ()
        if listener is None:
            own.close()
        else:
            listener.offer(own, peer)
