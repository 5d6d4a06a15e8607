"""One listening port for the passive data connections of all sessions.

It is always open. `WaitingSessions` decides who waits and whose a connection is; a connection that
nobody waits for is closed at once. Where several sessions of one address wait, a connection is held
until its ClientHello tells, or until the others have theirs.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from twisted.internet.error import CannotListenError

from ftpservice.data.data_tls import SessionReuseHabit
from ftpservice.data.listener import PassiveListener
from ftpservice.data.peer_policy import DataSettings
from ftpservice.data.shared_port_sockets import SharedPortSocket, listening_sockets
from ftpservice.data.unidentified_connection import UnidentifiedConnection, connection_of_before
from ftpservice.data.waiting_sessions import (
    DataPeer,
    WaitingSession,
    WaitingSessions,
    expect_late,
    late_addresses,
)
from ftpservice.wire.addresses import canonical_host

__all__ = [
    "CannotOpenSharedPort",
    "SharedPassivePort",
    "SharedPort",
    "SharedPortListener",
    "hold_connections",
    "open_shared_port",
    "port_of_before",
]

MAX_HELD = 8
"""Connections of one address of which more must be known; others are closed."""
MAX_HELD_OF_BALANCER = 1024
"""The same of one balancer, which has those of many clients."""


class CannotOpenSharedPort(CannotListenError):
    """The shared port cannot be listened on."""


def open_shared_port(reactor: Any, settings: DataSettings) -> SharedPassivePort | None:
    """Return the shared port of the settings, if they have one; raises `CannotOpenSharedPort`."""
    port = settings.passive_port
    if port is None:
        return None
    try:  # the stall timeout notices a lost peer long before SO_KEEPALIVE does
        sockets = listening_sockets(port, keeps_alive=not settings.stall_timeout)
    except OSError as error:
        raise CannotOpenSharedPort("", port, error) from None
    shared = SharedPassivePort(reactor, sockets, settings.is_balancer)
    shared.start_accepting()
    return shared


class WaitingPlace(Protocol):
    """Where a session waits."""

    def leave(self, one: SharedPortListener, connected: bool, /) -> None:
        """A session waits no more; ``connected``: its connection has arrived."""

    def lose_touch(self, peer: DataPeer, /) -> None:
        """The time of a session is over, and it has not been told so yet."""

    def hear_from(self, peer: DataPeer, /) -> None:
        """A session after `lose_touch` has sent a command, or has ended."""


class SharedPort(Protocol):
    """The port as sessions use it, in the process that listens or in another one."""

    port: int
    reactor: Any

    @property
    def waiting(self) -> WaitingPlace:
        """Where its sessions wait."""

    async def open_listener(
        self, expected: DataPeer, habit: SessionReuseHabit | None, timeout: float
    ) -> SharedPortListener | None:
        """Let a session wait for its connection, as soon as it is its turn; None if not in time."""

    def accept_pending(self) -> None:
        """Accept the connections that wait."""

    def close(self) -> None:
        """Accept no more connections."""


class SharedPortListener(PassiveListener):
    """The share of one session in the port; it waits from `SharedPassivePort.open_listener` on."""

    def __init__(
        self, shared: SharedPort, expected: DataPeer, habit: SessionReuseHabit | None
    ) -> None:
        super().__init__(shared.port)
        self.expected = expected
        self.expects_resumption = bool(expected.tls_session)
        self.is_open = False
        """Whether the session waits."""
        self._shared = shared
        self._habit = habit
        self._is_full = self._has_accepted = False

    def watch(self) -> None:
        """Accept further connections; at first that is so without this call."""
        self._is_full = False

    def stop_watching(self) -> None:
        """Close further connections."""
        self._is_full = True

    def accept_pending(self) -> None:
        """Accept the connections that wait in the kernel, of whichever session."""
        self._shared.accept_pending()

    def offer(self, own: socket.socket, peer: tuple[Any, ...]) -> None:
        """Give the session an accepted connection."""
        protocol = None
        if not self._is_full and self.accept_peer is not None:
            self._has_accepted = True
            protocol = self.accept_peer(self.expected.host)
        if protocol is None:
            own.close()
        else:
            transport = self.make_transport(own, protocol, peer, self._shared.reactor)
            protocol.makeConnection(transport)

    def doubt(self) -> None:
        """Do not rely any more on the client's resuming its TLS session."""
        if self._habit is not None:
            self._habit.resumed_in_a_row = 0

    def close(self) -> None:
        """Accept all waiting connections, then wait no more; may be repeated."""
        if self.is_open:
            self._shared.accept_pending()
        self.close_now()

    def close_now(self) -> None:
        """Wait no more; may be repeated."""
        if self.is_open:
            self.is_open = False
            self._shared.waiting.leave(self, self._has_accepted)

    def lose_touch(self) -> None:
        """Its time is over, and the session will be told so at its next command."""
        self._shared.waiting.lose_touch(self.expected)

    def hear_from(self) -> None:
        """The session that was lost touch with has sent a command, or has ended."""
        self._shared.waiting.hear_from(self.expected)


class SharedPassivePort:
    """Owns listening sockets that all have the same port, and accepts when it has been started.

    ``is_balancer``: whether connections from a host have to begin with a PROXY header.
    """

    def __init__(
        self,
        reactor: Any,
        sockets: Sequence[socket.socket],
        is_balancer: Callable[[str], bool] | None = None,
    ) -> None:
        self.reactor = reactor
        self.is_balancer: Callable[[str], bool] = is_balancer or _is_none
        self.port: int = sockets[0].getsockname()[1]
        self.waiting: WaitingSessions = WaitingSessions(reactor, self._changed)
        self._held: dict[str, list[UnidentifiedConnection]] = {}
        self._sockets = [SharedPortSocket(reactor, own, self._accepted) for own in sockets]

    async def open_listener(
        self, expected: DataPeer, habit: SessionReuseHabit | None, timeout: float
    ) -> SharedPortListener | None:
        """Let a session wait for its connection, as soon as it is its turn.

        Returns None if it would have to wait for its turn longer than ``timeout`` seconds.
        """
        listener = SharedPortListener(self, expected, habit)
        has_turn = self.waiting.enter(listener)
        if not has_turn and timeout > 0:
            has_turn = await self.waiting.turn(listener, timeout)
        listener.is_open = has_turn
        return listener if has_turn else None

    def start_accepting(self) -> None:
        """Accept connections from now on."""
        for one in self._sockets:
            one.start()

    def accept_pending(self) -> None:
        """Accept the connections that wait in the kernel."""
        for one in self._sockets:
            one.accept_pending()

    @property
    def descriptors(self) -> list[int]:
        """Those of the listening sockets."""
        return [one.fileno() for one in self._sockets]

    def hand_over(self) -> dict[str, Any]:
        """Accept no more, and return plain values for the next program (`port_of_before`).

        The descriptors in it are new. Who waits is not in it.
        """
        for one in self._sockets:
            one.stop()
        return {
            "port": self.port,
            "sockets": [os.dup(one) for one in self.descriptors],
            "held": [one.handed_over() for held in self._held.values() for one in held],
            "late": late_addresses(self.waiting),
        }

    def close(self) -> None:
        """Stop listening, and close the connections that nobody has got."""
        for one in self._sockets:
            one.close()
        self.waiting.close()
        for held in tuple(self._held.values()):
            for connection in held:
                connection.close()
        self._held.clear()

    def _accepted(self, own: socket.socket, peer: tuple[Any, ...]) -> None:
        host, waiting = canonical_host(peer[0]), self.waiting
        requires_header = self.is_balancer(host)
        is_balancer = requires_header or bool(waiting.behind(host))
        if not is_balancer:
            one: Any = waiting.sole(host)
            if one is not None:
                one.offer(own, peer)
                return
            if not waiting.of(host):
                own.close()
                return
        held = self._held.setdefault(host, [])
        if len(held) >= (MAX_HELD_OF_BALANCER if is_balancer else MAX_HELD):
            own.close()
            return
        connection = UnidentifiedConnection(self.reactor, own, peer, host, self._identify)
        held.append(connection)
        connection.start(expects_header=is_balancer, requires_header=requires_header)

    def _identify(self, connection: UnidentifiedConnection) -> None:
        """Give a held connection to its session, hold it longer, or close it."""
        host, sessions = connection.host, connection.tls_sessions
        one: Any = self.waiting.resuming(host, sessions) if sessions else None
        if one is None:
            one = self.waiting.sole(host)
        if one not in self._possible(connection):
            one = None
        if connection.is_expired or connection.is_useless:
            self._drop(connection)
            for waiting in self.waiting.of(host) if connection.is_expired else ():
                waiting.doubt()  # type: ignore[attr-defined]  # they are `SharedPortListener`
        elif one is not None:
            self._forget(connection)
            one.offer(connection.release(), connection.peer)
        elif self._may_be_identified(connection):
            connection.watch_on()
        else:
            self._drop(connection)

    def _may_be_identified(self, connection: UnidentifiedConnection) -> bool:
        """Return whether a connection may still turn out to be a session's."""
        possible = len(self._possible(connection))
        return possible > 1 or (possible > 0 and connection.tls_sessions is None)

    def _possible(self, connection: UnidentifiedConnection) -> list[WaitingSession]:
        """Return the sessions whose connection it may be.

        A header counts for the sessions of its sender only, that of a configured balancer for all.
        Without a header, a connection from another balancer may be that of any session behind it.
        """
        sender = connection.balancer
        if connection.requires_header:
            return []
        of_host = [
            one
            for one in self.waiting.of(connection.host)
            if sender in ("", one.expected.balancer) or self.is_balancer(sender)
        ]
        return of_host if sender else [*of_host, *self.waiting.behind(connection.host)]

    def _changed(self, host: str, may_be_late: bool) -> None:
        """A session of an address waits no more: look again at the connections held."""
        for connection in self._all_held(host):
            if may_be_late:
                self._drop(connection)  # it may be that session's
            elif connection in self._held.get(connection.key, ()):  # still: others may end by this
                self._identify(connection)

    def _all_held(self, host: str) -> list[UnidentifiedConnection]:
        """Return the connections of a client address, through a balancer or not."""
        every = (one for held in self._held.values() for one in held)
        return [one for one in every if one.host == host and not one.requires_header]

    def _drop(self, connection: UnidentifiedConnection) -> None:
        self._forget(connection)
        connection.close()

    def _forget(self, connection: UnidentifiedConnection) -> None:
        held = self._held.get(connection.key, [])
        if connection in held:
            held.remove(connection)
        if not held:
            self._held.pop(connection.key, None)


def _is_none(_host: str) -> bool:
    """Return False: no balancer is configured."""
    return False


def port_of_before(
    reactor: Any, values: Mapping[str, Any], is_balancer: Callable[[str], bool] | None = None
) -> SharedPassivePort:
    """Return the port that another program has handed over; it does not accept yet."""
    sockets = [socket.socket(fileno=one) for one in values["sockets"]]
    shared = SharedPassivePort(reactor, sockets, is_balancer)
    for host, session, seconds in values.get("late", ()):
        expect_late(shared.waiting, host, session, seconds)
    return shared


def hold_connections(shared: SharedPassivePort, handed: Iterable[Mapping[str, Any]]) -> None:
    """Hold the connections that another program has held and handed over."""
    for one in handed:
        connection = connection_of_before(shared.reactor, one, shared._identify)
        shared._held.setdefault(connection.key, []).append(connection)
        requires_header = one["expects_header"] and shared.is_balancer(connection.host)
        connection.start(expects_header=one["expects_header"], requires_header=requires_header)
