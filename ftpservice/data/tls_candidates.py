"""The TLS handshakes at one passive port: which connection the transfer gets.

Any host behind the client's address can connect to the port, and port scanners do. Without TLS the
first connection is taken. With TLS more is known:

- A failed or stalled handshake does not use the port up: other connections may begin theirs at the
  same time, and afterwards.
- The first complete handshake wins. One that resumed the TLS session of the control connection
  certainly belongs to the client and wins at once; while other handshakes are under way, one that
  did not resume waits `RESUMPTION_GRACE_SECONDS` for it, unless this client is known not to resume.
  So it does at the shared port, whose number everybody knows, if this client is known to resume.
- A client whose handshake failed gets its reply after `RETRY_GRACE_SECONDS` without another
  connection.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from twisted.internet.interfaces import IReactorTime

from ftpservice.data.data_tls import DataTLSContext
from ftpservice.data.peer_policy import DataSettings
from ftpservice.data.pending_connection import PendingDataConnection
from ftpservice.wire.units import seconds_text

__all__ = ["MAX_CANDIDATES", "RESUMPTION_GRACE_SECONDS", "RETRY_GRACE_SECONDS", "TLSCandidates"]

MAX_CANDIDATES = 8
"""Handshakes at a time; further connections wait in the kernel."""
RESUMPTION_GRACE_SECONDS = 1.0
"""Time for a resumed session, from the command or the first complete handshake if that is later."""
RETRY_GRACE_SECONDS = 3.0
"""Time for another connection, from the command or the last failure if that is later."""


class TLSCandidates:
    """Connections at one port; ``changed`` is called when one is ready or has failed."""

    def __init__(
        self,
        clock: IReactorTime,
        settings: DataSettings,
        changed: Callable[[], object],
        *,
        expects_resumption: bool = False,
    ) -> None:
        self.winner: PendingDataConnection | None = None
        """The connection of the transfer."""
        self.problem = ""
        """Why the last one failed."""
        self._clock = clock
        self._settings = settings
        self._changed = changed
        self.handshakes: list[PendingDataConnection] = []
        """Those that may still win, and are not complete."""
        self._secured: PendingDataConnection | None = None  # complete, and not resumed
        self._secured_at = self._failed_at = 0.0
        self._is_contested = expects_resumption
        self._expects_resumption = expects_resumption
        self._wanted_at = inf

    @property
    def is_full(self) -> bool:
        """Whether no further handshake may begin."""
        return len(self.handshakes) >= MAX_CANDIDATES

    @property
    def has_handshakes(self) -> bool:
        """Whether one may still win."""
        return bool(self.handshakes) or self.is_ready

    @property
    def is_ready(self) -> bool:
        """Whether there is a connection on which a transfer can begin."""
        return self.winner is not None or self._secured is not None

    def all_use(self, data_tls: DataTLSContext | None) -> bool:
        """Return whether all have this TLS."""
        return all(one.data_tls == data_tls for one in self._all())

    def add(self, data_tls: DataTLSContext) -> PendingDataConnection:
        """Return a new one; its handshake begins when its connection is made."""
        self._is_contested |= bool(self.handshakes) or self._secured is not None
        candidate = PendingDataConnection(self._clock, self._settings, data_tls, self._settle)
        self.handshakes.append(candidate)
        return candidate

    def start_waiting(self) -> None:
        """The command has come: the time for handshakes is counted from now on."""
        if self._wanted_at == inf:
            self._wanted_at = self._clock.seconds()

    def choose(self) -> None:
        """Choose the winner if it is certain now; abort the handshakes that timed out."""
        now = self._clock.seconds()
        timeout = self._settings.handshake_timeout
        for one in tuple(self.handshakes):
            if now >= self._expiry(one):
                one.give_up(f"no TLS in {seconds_text(timeout)}")
        first = self._secured
        if self.winner is None and first is not None and now >= self._chosen_at(first):
            self._win(first)

    def next_choice(self) -> float:
        """Return when to call `choose` again, or when to wait for no other connection."""
        if self._secured is not None:
            return self._chosen_at(self._secured)
        if self.handshakes:
            return min(self._expiry(one) for one in self.handshakes)
        return max(self._failed_at, self._wanted_at) + RETRY_GRACE_SECONDS if self.problem else inf

    def close(self, keeping: PendingDataConnection | None = None) -> None:
        """Close all but one."""
        connections, self.handshakes, self._secured = self._all(), [], None
        for one in connections:
            if one is not keeping:
                one.close_gracefully()

    def _all(self) -> list[PendingDataConnection]:
        return [*self.handshakes, *filter(None, (self._secured, self.winner))]

    def _expiry(self, candidate: PendingDataConnection) -> float:
        timeout = self._settings.handshake_timeout
        return max(candidate.since, self._wanted_at) + timeout if timeout else inf

    def _chosen_at(self, first: PendingDataConnection) -> float:
        """Return when one that did not resume wins if no other handshake completes."""
        if first.data_tls.session_reuse.resumes is False:
            return 0.0
        waits = self.handshakes or self._expects_resumption
        grace = RESUMPTION_GRACE_SECONDS if waits else 0.0
        return max(self._secured_at, self._wanted_at) + grace

    def _settle(self, candidate: PendingDataConnection) -> None:
        self.handshakes.remove(candidate)
        now = self._clock.seconds()
        if candidate.problem:
            timed_out = now >= self._expiry(candidate)  # other clients have had the same time
            self.problem = candidate.problem
            self._failed_at = self._wanted_at if timed_out else now
        elif self.winner is not None:
            candidate.close_gracefully()
        elif candidate.is_resumed:
            self._win(candidate)
        elif self._secured is None:
            self._secured, self._secured_at = candidate, now
        else:
            candidate.close_gracefully()
        self._changed()

    def _win(self, candidate: PendingDataConnection) -> None:
        self.winner = candidate
        candidate.data_tls.session_reuse.observe(candidate.is_resumed, self._is_contested)
        self.close(keeping=candidate)
