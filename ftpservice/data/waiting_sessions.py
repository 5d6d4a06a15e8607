"""The sessions that wait for their data connection at one port, and whose connection that is.

A data connection must never reach another user's session. Two things tell sessions apart:

- **The client's address.** Several clients may share it (NAT, a proxy, one program with several
  sessions), so it counts only while one session of the address waits. Sessions without another
  mark take *turns*: each is told the port when no other session of its address waits any more.
- **The TLS session** that the connection wants to resume, if that is the session of a control
  connection. Sessions whose clients are known to resume it wait together, without turns.

A session may give up its turn before its connection has arrived: ABOR, a timeout, its end. That
connection may still be on its way. So for `LATE_SECONDS` no other session of the address gets a
turn, and a session that has not been heard of since its time was over keeps the turn from the
sessions of other users until it sends its next command, or ends.

Nothing here knows sockets: with several processes one of them keeps this for all.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

__all__ = [
    "LATE_SECONDS",
    "DataPeer",
    "WaitingSession",
    "WaitingSessions",
    "expect_late",
    "late_addresses",
    "readmit",
]

LATE_SECONDS = 3.0
"""Time in which a connection may arrive that its session does not wait for any more."""
MAX_WAITING_TURNS = 64
"""Sessions of one address that may wait for their turn."""


@dataclass(frozen=True, slots=True)
class DataPeer:
    """Who is to make a data connection; plain values, which another process can be told."""

    session: object
    """The session; equal for every connection of one session."""
    user: str
    host: str
    """The address of its client, canonical."""
    balancer: str = ""
    """The address of the balancer that the control connection comes through, if it has one."""
    tls_session: bytes = b""
    """The TLS session that the connection will resume; empty if only the address tells."""


class WaitingSession(Protocol):
    """A session that has been told the port, or is to be."""

    @property
    def expected(self) -> DataPeer:
        """The client of its connection."""


@dataclass(eq=False, slots=True)
class Address:
    """The sessions of one client address."""

    waiting: list[WaitingSession] = field(default_factory=list)
    """Those that have been told the port."""
    turns: deque[tuple[WaitingSession, Deferred[bool]]] = field(default_factory=deque)
    """Those that are not told yet, in order."""
    unheard: dict[object, str] = field(default_factory=dict)
    """Sessions whose time is over without a connection or a command, and their users."""
    late_session: object = None
    """The one session that may get a connection until ``late_until``; None for no session."""
    late_until: float = 0.0
    retry: IDelayedCall | None = None
    """Lets the next session have its turn at ``late_until``."""

    def is_clear(self, peer: DataPeer, now: float) -> bool:
        """Return whether a connection that only its address marks cannot be another session's."""
        others = (user for session, user in self.unheard.items() if session != peer.session)
        return (now >= self.late_until or self.late_session == peer.session) and all(
            user == peer.user for user in others
        )

    def may_wait(self, peer: DataPeer, now: float) -> bool:
        """Return whether a session may be told the port now."""
        if not peer.tls_session:
            return not self.waiting and self.is_clear(peer, now)
        return all(one.expected.tls_session not in (b"", peer.tls_session) for one in self.waiting)


class WaitingSessions:
    """Who waits, by client address; ``changed`` is called with an address when one is gone.

    Its second argument is whether a connection of that session may still arrive.
    """

    def __init__(self, clock: IReactorTime, changed: Callable[[str, bool], object]) -> None:
        self._clock = clock
        self._changed = changed
        self._addresses: dict[str, Address] = {}
        self._behind: dict[str, set[WaitingSession]] = {}
        self._late: deque[tuple[float, str]] = deque()

    def enter(self, one: WaitingSession) -> bool:
        """Let a session wait; False if it has to wait for its turn first."""
        peer, now = one.expected, self._clock.seconds()
        if self._late:
            self._drop_expired(now)
        address = self._addresses.get(peer.host)
        if address is None:
            address = self._addresses[peer.host] = Address()
        if address.turns or not address.may_wait(peer, now):
            return False
        self._admit(address, one)
        return True

    async def turn(self, one: WaitingSession, timeout: float) -> bool:
        """Let a session wait when it is its turn; False if that takes too long."""
        address = self._addresses.setdefault(one.expected.host, Address())
        if len(address.turns) >= MAX_WAITING_TURNS:
            return False
        turn: Deferred[bool] = Deferred()
        entry = one, turn
        address.turns.append(entry)
        late = self._clock.callLater(timeout, turn.callback, False)
        self._advance(one.expected.host, address)
        try:
            return await turn
        finally:
            if late.active():
                late.cancel()
            if entry in address.turns:
                address.turns.remove(entry)
                self._advance(one.expected.host, address)

    def leave(self, one: WaitingSession, connected: bool) -> None:
        """A session waits no more; ``connected``: its connection has arrived."""
        peer = one.expected
        address = self._addresses[peer.host]
        address.waiting.remove(one)
        if peer.balancer:
            behind = self._behind[peer.balancer]
            behind.discard(one)
            if not behind:
                del self._behind[peer.balancer]
        if not connected:
            self._begin_late(address, peer)
        self._changed(peer.host, not connected)
        self._advance(peer.host, address)

    def lose_touch(self, peer: DataPeer) -> None:
        """The time of a session is over, and it has not been told so yet."""
        self._addresses.setdefault(peer.host, Address()).unheard[peer.session] = peer.user

    def hear_from(self, peer: DataPeer) -> None:
        """A session after `lose_touch` has sent a command, or has ended."""
        address = self._addresses.get(peer.host)
        if address is not None and address.unheard.pop(peer.session, None) is not None:
            self._begin_late(address, peer)
            self._advance(peer.host, address)

    def sole(self, host: str) -> WaitingSession | None:
        """Return the session that a connection from an address is for, if that is certain."""
        address = self._addresses.get(host)
        if address is None or len(address.waiting) != 1:
            return None
        one = address.waiting[0]
        return one if address.is_clear(one.expected, self._clock.seconds()) else None

    def resuming(self, host: str, tls_sessions: frozenset[bytes]) -> WaitingSession | None:
        """Return the session whose TLS session a connection from an address wants to resume."""
        for one in (*self.of(host), *self.behind(host)):
            if one.expected.tls_session in tls_sessions:
                return one
        return None

    def of(self, host: str) -> tuple[WaitingSession, ...]:
        """Return the sessions of an address that wait."""
        address = self._addresses.get(host)
        return () if address is None else tuple(address.waiting)

    def behind(self, balancer: str) -> tuple[WaitingSession, ...]:
        """Return the sessions that wait and come through a balancer."""
        return tuple(self._behind.get(balancer, ()))

    def close(self) -> None:
        """Give nobody a turn any more."""
        for address in self._addresses.values():
            if address.retry is not None and address.retry.active():
                address.retry.cancel()
            for _, turn in tuple(address.turns):
                if not turn.called:
                    turn.callback(False)

    def _admit(self, address: Address, one: WaitingSession) -> None:
        peer = one.expected
        address.waiting.append(one)
        if peer.balancer:
            self._behind.setdefault(peer.balancer, set()).add(one)

    def _begin_late(self, address: Address, peer: DataPeer) -> None:
        """A connection of this session may still arrive, and no other session may get it."""
        now = self._clock.seconds()
        is_only = now >= address.late_until or address.late_session == peer.session
        address.late_session = peer.session if is_only else None
        address.late_until = now + LATE_SECONDS
        self._late.append((address.late_until, peer.host))

    def _advance(self, host: str, address: Address) -> None:
        """Let the next sessions have their turn; forget an address without sessions."""
        now = self._clock.seconds()
        while address.turns and (
            address.turns[0][1].called or address.may_wait(address.turns[0][0].expected, now)
        ):
            one, turn = address.turns.popleft()
            if not turn.called:
                self._admit(address, one)
                turn.callback(True)
        is_retrying = address.retry is not None and address.retry.active()
        if address.turns and not address.waiting and address.late_until > now:
            if not is_retrying:
                delay = address.late_until - now
                address.retry = self._clock.callLater(delay, self._advance, host, address)
        elif is_retrying and address.retry is not None:
            address.retry.cancel()
        is_used = address.waiting or address.turns or address.unheard or address.late_until > now
        if not is_used and self._addresses.get(host) is address:
            del self._addresses[host]

    def _drop_expired(self, now: float) -> None:
        """Forget addresses whose late connections need no care any more."""
        while self._late and self._late[0][0] <= now:
            _, host = self._late.popleft()
            address = self._addresses.get(host)
            if address is not None:
                self._advance(host, address)


def late_addresses(waiting: WaitingSessions) -> list[tuple[str, object, float]]:
    """Return what `expect_late` needs in the program after this one."""
    now = waiting._clock.seconds()
    return [
        (host, address.late_session, address.late_until - now)
        for host, address in waiting._addresses.items()
        if address.late_until > now
    ]


def expect_late(waiting: WaitingSessions, host: str, session: object, seconds: float) -> None:
    """A connection from an address may arrive that belongs to this session only, or to none."""
    address = waiting._addresses.setdefault(host, Address())
    address.late_session, address.late_until = session, waiting._clock.seconds() + seconds
    waiting._late.append((address.late_until, host))


def readmit(waiting: WaitingSessions, one: WaitingSession) -> None:
    """Let a session wait whose turn has come in the program before this one."""
    waiting._admit(waiting._addresses.setdefault(one.expected.host, Address()), one)
