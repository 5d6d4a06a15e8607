"""A data connection that the client makes to us (PASV, EPSV)."""

from __future__ import annotations

from math import inf

from twisted.internet.interfaces import IReactorTime

from ftpservice.data.channel import CLOSED_TEXT, CannotOpenDataConnection, DataChannel
from ftpservice.data.data_tls import PLAINTEXT_DATA, DataProtection, DataTLSContext
from ftpservice.data.listener import PassiveListener
from ftpservice.data.peer_policy import DataSettings, PeerPolicy
from ftpservice.data.pending_connection import PendingDataConnection
from ftpservice.data.tls_candidates import MAX_CANDIDATES, TLSCandidates
from ftpservice.net.accepted_tcp import AcceptedTransport
from ftpservice.stream.connection import StreamConnection
from ftpservice.stream.stall_timeout import Wakeup
from ftpservice.wire.units import seconds_text

__all__ = ["PassiveChannel"]

FIRST_RECHECK_SECONDS = 0.1
"""Seconds for the first handshake by itself; then the port is watched for other connections."""
MIN_WAIT_SECONDS = 0.001


class PassiveChannel(DataChannel):
    """Waits for the client to connect; connections from other hosts are closed, without effect.

    A client that connects before its command is accepted and waits; nothing is read from it but a
    handshake. ``protection`` is asked for TLS when a client connects. Without TLS the first
    connection from the client's address is taken, with TLS the `TLSCandidates` decide.
    """

    def __init__(
        self,
        clock: IReactorTime,
        settings: DataSettings,
        policy: PeerPolicy,
        listener: PassiveListener,
        protection: DataProtection = PLAINTEXT_DATA,
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._policy = policy
        self._protection = protection
        self._wakeup: Wakeup | None = None
        self._accepted: StreamConnection | None = None
        """The connection of the transfer, ready to be used."""
        self._data_tls: DataTLSContext | None = None
        """The TLS of ``_accepted``."""
        self._candidates: TLSCandidates | None = None
        self._listener: PassiveListener | None = listener
        self._closed = False
        self.connected_early = False
        """Whether the client began TLS before its command: some wait for the handshake first."""
        self._is_wanted = False
        listener.accept_peer = self._accept_peer
        listener.when_failed = self.stop_listening

    @property
    def connected(self) -> bool:
        """Whether the client has connected; one that waits in the kernel is accepted for that."""
        self._want()
        return self._accepted is not None or (
            self._candidates is not None and self._candidates.is_ready
        )

    @property
    def matches_protection(self) -> bool:
        """Whether the connection, if there is one, has the TLS that PROT asks for now."""
        if self._candidates is not None:
            return self._candidates.all_use(self._protection.next_data_tls())
        return self._accepted is None or self._data_tls == self._protection.next_data_tls()

    def check_unused(self) -> bool:
        """Return whether no client has connected; accepts one that waits in the kernel first."""
        if self._listener is not None:
            self._listener.accept_pending()
        return self._listener is not None and self._candidates is None

    def stop_listening(self, problem: str) -> None:
        """Stop listening; keep a client that has connected, otherwise set ``problem``."""
        if self.check_unused():
            self.problem = problem
            self.close()
        self._close_listener()

    async def connection(self) -> StreamConnection:
        """Wait for the client; raises `CannotOpenDataConnection`."""
        try:
            if not self._is_wanted:
                self._want()
            if self._accepted is None and not self._closed:
                await self._wait()
            accepted, self._accepted = self._accepted, None
        finally:
            if self._listener or self._candidates or self._accepted:
                self.close()
            self._closed = True
        if accepted is None:
            raise CannotOpenDataConnection(self.problem or CLOSED_TEXT)
        return accepted

    def watch(self) -> None:
        """Let the reactor accept the client, before or after its command."""
        is_full = self._candidates is not None and self._candidates.is_full
        if self._listener is not None and not is_full:
            self._listener.watch()

    def close(self) -> None:
        """Stop listening; a connection that was accepted and not obtained ends with a FIN."""
        self._closed = True
        if self._listener is not None:
            self._close_listener()
        accepted, self._accepted = self._accepted, None
        if accepted is not None:
            accepted.close_gracefully()
        if self._candidates is not None:
            self._candidates.close()
        self._wake()

    def _want(self) -> None:
        """The command has come: accept who waits in the kernel, choose if there is a choice."""
        self._is_wanted = True
        if self._listener is not None:
            self._listener.accept_pending()
        if self._candidates is not None:
            self._candidates.start_waiting()
            for one in tuple(self._candidates.handshakes):
                one.continue_handshake()
            self._choose()

    async def _wait(self) -> None:
        """Wait for the connection of the transfer; raises `CannotOpenDataConnection`."""
        timeout, now = self._settings.data_timeout, self._clock.seconds()
        until = now + timeout if timeout else inf
        self._wakeup = Wakeup(self._clock)
        while self._accepted is None and not self._closed:
            then = self._next_check(now + FIRST_RECHECK_SECONDS, until)
            seconds = max(then - self._clock.seconds(), MIN_WAIT_SECONDS)
            await self._wakeup.wait(0 if seconds == inf else seconds)
            self._choose()

    def _next_check(self, watched_from: float, until: float) -> float:
        """Return when to check again if nothing happens before.

        Raises `CannotOpenDataConnection`.
        """
        now, candidates = self._clock.seconds(), self._candidates
        then = candidates.next_choice() if candidates is not None else inf
        if candidates is None or not candidates.has_handshakes:
            then = min(then, until)
            if now >= then:
                timeout = self._settings.data_timeout
                problem = f"no connection within {seconds_text(timeout)}"
                raise CannotOpenDataConnection((candidates and candidates.problem) or problem)
        elif now >= until:
            self._close_listener()
        elif now < watched_from:
            return min(then, until, watched_from)
        else:
            then = min(then, until)
        self.watch()
        return then

    def _accept_peer(self, host: str) -> StreamConnection | None:
        listener = self._listener
        if listener is None or not (host == self._policy.peer or self._policy.accepts(host)):
            return None
        data_tls = self._protection.next_data_tls() if self._protection.data else None
        if data_tls is None:
            self._listener = None
            listener.close_now()
            made = None if self._wakeup is None else self._wake
            self._accepted = StreamConnection(self._clock, self._settings.stall_timeout, made)
            return self._accepted
        if self._candidates is None:
            self._candidates = TLSCandidates(
                self._clock,
                self._settings,
                self._settled,
                expects_resumption=listener.expects_resumption,
            )
            self.connected_early = not self._is_wanted
            self._wake()  # a waiting transfer has other times to keep now
        candidate = self._candidates.add(data_tls)
        if self._is_wanted:
            self._candidates.start_waiting()
        if self._candidates.is_full:
            listener.stop_watching()
        listener.make_transport = candidate.accept
        return candidate.stream

    def _settled(self) -> None:
        """A handshake is complete or has failed: choose, or watch for other connections."""
        has_winner = self._candidates is not None and self._candidates.winner is not None
        if self._listener is not None and not has_winner:
            self._listener.accept_pending()
        self._choose()
        if self._accepted is None:
            self.watch()
        self._wake()

    def _choose(self) -> None:
        candidates = self._candidates
        if candidates is None:
            return
        candidates.choose()
        if candidates.winner is not None:
            self._accepted, self._data_tls = candidates.winner.stream, candidates.winner.data_tls
            self._candidates = None
            listener, self._listener = self._listener, None
            if listener is not None:
                listener.close_now()

    def _wake(self, _connection: StreamConnection | None = None) -> None:
        if self._wakeup is not None:
            self._wakeup.wake_waiter()

    def _close_listener(self) -> None:
        """Stop listening; a client that waits in the kernel is accepted and ends with a FIN.

        The kernel would end it with an RST, and the client might lose the reply to its command.
        """
        listener, self._listener = self._listener, None
        if listener is None:
            return
        late: list[StreamConnection | PendingDataConnection] = []

        def accept_peer(host: str) -> StreamConnection | None:
            if len(late) >= MAX_CANDIDATES or not self._policy.accepts(host):
                return None
            data_tls = self._protection.next_data_tls()
            if data_tls is None:
                listener.make_transport = AcceptedTransport
                connection = StreamConnection(self._clock, self._settings.stall_timeout)
                late.append(connection)
                return connection
            pending = PendingDataConnection(self._clock, self._settings, data_tls)
            listener.make_transport = pending.accept
            late.append(pending)
            return pending.stream

        listener.accept_peer = accept_peer
        listener.close()
        for connection in late:
            connection.close_gracefully()
