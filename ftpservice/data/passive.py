"""A data connection that the client makes to us (PASV, EPSV)."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from twisted.internet.interfaces import IReactorTime

from ftpservice.concurrency.batched_checks import BatchedChecks
from ftpservice.data.channel import CannotOpenDataConnection, DataChannel
from ftpservice.data.data_tls import DataTLSContext, no_tls
from ftpservice.data.listener import DataListener
from ftpservice.data.passive_ports import BACKLOG
from ftpservice.data.peer_policy import DataSettings, PeerPolicy
from ftpservice.data.pending_connection import PendingDataConnection
from ftpservice.data.tls_candidates import MAX_CANDIDATES, TLSCandidates
from ftpservice.net.accepted_tcp import AcceptedTransport
from ftpservice.stream.connection import StreamConnection
from ftpservice.stream.stall_timeout import Wakeup

__all__ = ["PassiveChannel"]

FIRST_RECHECK_SECONDS = 0.1
"""Seconds for the first handshake by itself: then the port is watched for others."""
MIN_PAUSE_SECONDS = 0.001


class PassiveChannel(DataChannel):
    """Waits at a door until the client has connected; strangers are closed and change nothing.

    A client that connects before its command is let in and waits; nothing is read from it but a
    handshake. ``cover`` tells, when it connects, what TLS there is to be. In clear the first
    connection from the client's address is taken, under TLS the `TLSCandidates` decide.
    """

    def __init__(
        self,
        clock: IReactorTime,
        settings: DataSettings,
        policy: PeerPolicy,
        door: DataListener,
        cover: Callable[[], DataTLSContext | None] = no_tls,
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._policy = policy
        self._cover = cover
        self._bell: Wakeup | None = None
        self._arrival: PendingDataConnection | None = None
        self._candidates: TLSCandidates | None = None
        self._door: DataListener | None = door
        self._closed = False
        self.connected_early = False
        """Whether the client began TLS before its command, as those do that wait for it to end."""
        self._is_wanted = False
        door.admit = self._admit
        BatchedChecks.of(clock).add(clock, self.watch)  # most commands come before that

    @property
    def connected(self) -> bool:
        """Whether the client is here; one who waits at the door is let in for that."""
        self._want()
        if self._candidates is not None:
            return self._candidates.is_ready
        return self._arrival is not None and self._arrival.is_ready

    @property
    def matches_protection(self) -> bool:
        """Whether a connection that stands has the TLS that there is to be now."""
        if self._candidates is not None:
            return self._candidates.all_use(self._cover())
        return self._arrival is None or self._arrival.data_tls == self._cover()

    def check_unused(self) -> bool:
        """Tell whether nobody has connected; a client that has is let in, if it was not yet."""
        self._look()
        return self._door is not None and self._candidates is None

    def stop_listening(self, problem: str) -> None:
        """Let nobody in any more; who has connected is kept, otherwise that is the ``problem``."""
        if self.check_unused():
            self.problem = problem
            self.close()
        self._close_door()

    async def connection(self) -> StreamConnection:
        """Wait for the client; raises `CannotOpenDataConnection`."""
        try:
            if not self._is_wanted:
                self._want()
            if self._arrival is None and not self._closed:
                await self._wait()
            arrival, self._arrival = self._arrival, None
        finally:
            self.close()
        if arrival is None:
            raise CannotOpenDataConnection("the channel is closed")
        return arrival.protocol

    def watch(self) -> None:
        """Let the client in as soon as it comes, whether its command has come or not."""
        is_full = self._candidates is not None and self._candidates.is_full
        if self._door is not None and not is_full:
            self._door.watch()

    def close(self) -> None:
        """Expect nobody any more, and dismiss a client that nobody asked for."""
        self._closed = True
        self._close_door()
        arrival, self._arrival = self._arrival, None
        if arrival is not None:
            arrival.close_gracefully()
        if self._candidates is not None:
            self._candidates.close()
        self._ring()

    def _want(self) -> None:
        """The command has come: let in who waits, and choose if there is a choice."""
        self._is_wanted = True
        self._look()
        if self._candidates is not None:
            self._candidates.start_waiting()
            self._choose()

    def _look(self) -> None:
        for _ in range(BACKLOG):  # strangers may be first
            if self._door is None or not self._door.look():
                break

    async def _wait(self) -> None:
        """Wait until it is known whose connection the transfer gets.

        Raises `CannotOpenDataConnection`.
        """
        timeout, now = self._settings.data_timeout, self._clock.seconds()
        until = now + timeout if timeout else inf
        self._bell = Wakeup(self._clock)
        while self._arrival is None and not self._closed:
            then = self._next_look(now + FIRST_RECHECK_SECONDS, until)
            pause = max(then - self._clock.seconds(), MIN_PAUSE_SECONDS)
            await self._bell.wait(0 if pause == inf else pause)
            self._choose()

    def _next_look(self, watched_from: float, until: float) -> float:
        """Return when to look again if nothing happens before.

        Raises `CannotOpenDataConnection`.
        """
        now, candidates = self._clock.seconds(), self._candidates
        then = candidates.next_choice() if candidates is not None else inf
        if candidates is None or not candidates.has_handshakes:
            then = min(then, until)
            if now >= then:
                timeout = self._settings.data_timeout
                nobody = f"nobody connected in {timeout:g} seconds"
                raise CannotOpenDataConnection((candidates and candidates.problem) or nobody)
        elif now >= until:
            self._close_door()
        elif now < watched_from:
            return min(then, until, watched_from)
        else:
            then = min(then, until)
        self.watch()
        return then

    def _admit(self, host: str) -> StreamConnection | None:
        door = self._door
        if door is None or not self._policy.accepts(host):
            return None
        cover = self._cover()
        if cover is None:
            self._door = None
            door.close_now()
            self._arrival = PendingDataConnection(self._clock, self._settings, None, self._ring)
            return self._arrival.protocol
        if self._candidates is None:
            self._candidates = TLSCandidates(self._clock, self._settings, self._settled)
            self.connected_early = not self._is_wanted
            self._ring()  # who waits has other times to keep now
        arrival = self._candidates.admit(cover)
        if self._is_wanted:
            self._candidates.start_waiting()
        if self._candidates.is_full:
            door.rest()
        door.accept = arrival.accept
        return arrival.protocol

    def _settled(self) -> None:
        """A handshake is over: choose, or watch for others."""
        self._look()
        self._choose()
        if self._arrival is None:
            self.watch()
        self._ring()

    def _choose(self) -> None:
        candidates = self._candidates
        if candidates is None:
            return
        candidates.choose()
        if candidates.winner is not None:
            self._arrival, self._candidates = candidates.winner, None
            door, self._door = self._door, None
            if door is not None:
                door.close_now()

    def _ring(self, _arrival: PendingDataConnection | None = None) -> None:
        if self._bell is not None:
            self._bell.wake_waiter()

    def _close_door(self) -> None:
        """Stop listening; a client that was not let in is, to be ended in order.

        Its connection would be broken by the kernel (RST), and with it what the client makes of the
        reply to its command.
        """
        door, self._door = self._door, None
        if door is None:
            return
        late: list[PendingDataConnection] = []

        def admit(host: str) -> StreamConnection | None:
            if len(late) >= MAX_CANDIDATES or not self._policy.accepts(host):
                return None
            arrival = PendingDataConnection(self._clock, self._settings, self._cover())
            door.accept = AcceptedTransport if arrival.data_tls is None else arrival.accept
            late.append(arrival)
            return arrival.protocol

        door.admit = admit
        door.close()
        for arrival in late:
            arrival.close_gracefully()
