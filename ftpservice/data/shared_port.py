"""One listening port for the passive data connections of all sessions.

It is always open. `WaitingSessions` decides who waits and whose a connection is; a connection that
nobody waits for is closed at once. Where several sessions of one address wait, a connection is held
until its ClientHello tells, or until the others have theirs.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IDelayedCall, IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ftpservice.data.data_tls import SessionReuseHabit
from ftpservice.data.listener import PassiveListener
from ftpservice.data.peer_policy import DataSettings
from ftpservice.data.unidentified_connection import UnidentifiedConnection
from ftpservice.data.waiting_sessions import DataPeer, WaitingSession, WaitingSessions
from ftpservice.net.accepted_tcp import OF_ONE_CONNECTION
from ftpservice.wire.addresses import canonical_host

__all__ = [
    "CannotOpenSharedPort",
    "SharedPassivePort",
    "SharedPort",
    "SharedPortListener",
    "open_shared_port",
]

log = Logger("ftpservice")

BACKLOG = 4096
"""Connections that wait in the kernel, of all sessions."""
MAX_ACCEPTS = 100
"""Connections that are accepted before the reactor turns to other events."""
MAX_HELD = 8
"""Connections of one address of which more must be known; others are closed."""
PAUSE_SECONDS = 0.1
"""Seconds until connections are accepted again, after there was no descriptor."""
NO_IPV6 = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)
STREAM_NONBLOCK = socket.SOCK_STREAM | socket.SOCK_NONBLOCK


class CannotOpenSharedPort(CannotListenError):
    """The shared port cannot be listened on."""


def open_shared_port(reactor: Any, settings: DataSettings) -> SharedPassivePort | None:
    """Return the shared port of the settings, if they have one; raises `CannotOpenSharedPort`."""
    port = settings.passive_port
    if port is None:
        return None
    try:  # the stall timeout notices a lost peer long before SO_KEEPALIVE does
        sockets = _listening_sockets(port, keeps_alive=not settings.stall_timeout)
    except OSError as error:
        raise CannotOpenSharedPort("", port, error) from None
    return SharedPassivePort(reactor, sockets)


def _listening_sockets(port: int, *, keeps_alive: bool) -> list[socket.socket]:
    """Listen on a port of all addresses, IPv4 and IPv6; raises `OSError`.

    Accepted sockets inherit TCP_NODELAY and, with ``keeps_alive``, SO_KEEPALIVE.
    """
    found: list[socket.socket] = []
    try:
        found.append(_listening(socket.AF_INET, "0.0.0.0", port, keeps_alive))
        try:
            found.append(_listening(socket.AF_INET6, "::", port, keeps_alive))
        except OSError as error:
            if error.errno not in NO_IPV6:
                raise
    except BaseException:
        for own in found:
            own.close()
        raise
    return found


def _listening(
    family: socket.AddressFamily, interface: str, port: int, keeps_alive: bool
) -> socket.socket:
    own = socket.socket(family, STREAM_NONBLOCK)
    try:
        own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        own.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        own.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, keeps_alive)
        if family == socket.AF_INET6:
            own.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        own.bind((interface, port))
        own.listen(BACKLOG)
    except BaseException:
        own.close()
        raise
    return own


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
    """Accepts at listening sockets that all have the same port, and owns them."""

    def __init__(self, reactor: Any, sockets: Sequence[socket.socket]) -> None:
        self.reactor = reactor
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

    def accept_pending(self) -> None:
        """Accept the connections that wait in the kernel."""
        for one in self._sockets:
            one.accept_pending()

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
        is_balancer = bool(waiting.behind(host))
        if not is_balancer:
            one: Any = waiting.sole(host)
            if one is not None:
                one.offer(own, peer)
                return
            if not waiting.of(host):
                own.close()
                return
        held = self._held.setdefault(host, [])
        if len(held) >= MAX_HELD:
            own.close()
            return
        connection = UnidentifiedConnection(self.reactor, own, peer, host, self._identify)
        held.append(connection)
        connection.start(expects_header=is_balancer)

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

        A header counts for the sessions of its sender only. Without a header, a connection from a
        balancer may be that of any session behind it.
        """
        sender = connection.balancer
        of_host = [
            one for one in self.waiting.of(connection.host) if sender in ("", one.expected.balancer)
        ]
        return of_host if sender else [*of_host, *self.waiting.behind(connection.host)]

    def _changed(self, host: str, may_be_late: bool) -> None:
        """A session of an address waits no more: look again at the connections held."""
        for connection in self._all_held(host):
            if may_be_late:
                self._drop(connection)  # it may be that session's
            else:
                self._identify(connection)

    def _all_held(self, host: str) -> list[UnidentifiedConnection]:
        """Return the connections of a client address, through a balancer or not."""
        return [one for held in self._held.values() for one in held if one.host == host]

    def _drop(self, connection: UnidentifiedConnection) -> None:
        self._forget(connection)
        connection.close()

    def _forget(self, connection: UnidentifiedConnection) -> None:
        key = connection.balancer or connection.host
        held = self._held.get(key, [])
        if connection in held:
            held.remove(connection)
        if not held:
            self._held.pop(key, None)


@implementer(IReadDescriptor)
class SharedPortSocket:
    """One listening socket of the port."""

    def __init__(
        self,
        reactor: Any,
        own: socket.socket,
        accepted: Callable[[socket.socket, tuple[Any, ...]], object],
    ) -> None:
        self._reactor = reactor
        self._own = own
        self._family = own.family
        self._accepted = accepted
        self._resuming: IDelayedCall | None = None
        reactor.addReader(self)

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._own.fileno()

    def logPrefix(self) -> str:
        """Return the prefix of log lines."""
        return "data port"

    def doRead(self) -> None:
        """Accept the connections that wait."""
        self.accept_pending()

    def accept_pending(self) -> None:
        """Accept the connections that wait in the kernel."""
        own = self._own
        for _ in range(MAX_ACCEPTS):
            if own.fileno() < 0:
                return
            try:
                descriptor, peer = own._accept()  # type: ignore[attr-defined]  # of `accept`, only this is needed
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in OF_ONE_CONNECTION:
                    continue
                self._pause(error)
                return
            accepted = socket.socket(self._family, socket.SOCK_STREAM, 0, descriptor)
            try:
                self._accepted(accepted, peer)
            except Exception:  # noqa: BLE001 - the port continues whatever fails
                log.failure("a data connection could not be begun")
                accepted.close()

    def connectionLost(self, _reason: Failure) -> None:
        """Stop listening: the reactor stops."""
        self.close()

    def close(self) -> None:
        """Stop listening; may be repeated."""
        resuming, self._resuming = self._resuming, None
        if resuming is not None:
            resuming.cancel()
        if self._own.fileno() >= 0:
            self._reactor.removeReader(self)
            self._own.close()

    def _pause(self, error: OSError) -> None:
        """Do not watch the port for a while: there is no descriptor for what waits there."""
        if self._resuming is None:
            log.warn("the passive port cannot accept: {reason}", reason=error.strerror)
            self._reactor.removeReader(self)
            self._resuming = self._reactor.callLater(PAUSE_SECONDS, self._resume)

    def _resume(self) -> None:
        self._resuming = None
        self._reactor.addReader(self)
