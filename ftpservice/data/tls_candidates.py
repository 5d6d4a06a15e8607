"""The connections at one passive port that are to go under TLS: which of them the transfer gets.

Anybody at the client's address can connect to the port, and a port scanner does. In clear the first
connection is taken. Under TLS more is known, so:

- A connection whose handshake fails, or never begins, does not use the port up: others may shake
  hands at the same time, and after it.
- The first handshake that is complete wins. One that resumed the TLS session of the control
  connection is the owner's for certain: it wins at once, and while others are in their handshake
  one that did not resume waits `RESUMPTION_GRACE_SECONDS` seconds for it, unless this client is
  known not to resume.
- A client whose own handshake failed is told so after `RETRY_GRACE_SECONDS` seconds in which nobody
  else connected.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from twisted.internet.interfaces import IReactorTime

from ftpservice.data.data_tls import DataTLSContext
from ftpservice.data.peer_policy import DataSettings
from ftpservice.data.pending_connection import PendingDataConnection

__all__ = ["MAX_CANDIDATES", "RESUMPTION_GRACE_SECONDS", "RETRY_GRACE_SECONDS", "TLSCandidates"]

MAX_CANDIDATES = 8
"""Handshakes at a time; further connections wait in the kernel."""
RESUMPTION_GRACE_SECONDS = 1.0
"""Seconds for a resumed session, from the command and from the first complete handshake on."""
RETRY_GRACE_SECONDS = 3.0
"""Seconds for another connection, from the command and from the last failure on."""


class TLSCandidates:
    """Those who shake hands at one port; ``changed`` is called when one of them is settled."""

    def __init__(
        self, clock: IReactorTime, settings: DataSettings, changed: Callable[[], object]
    ) -> None:
        self.winner: PendingDataConnection | None = None
        """The one whose connection the transfer gets."""
        self.problem = ""
        """Why the last one failed."""
        self._clock = clock
        self._settings = settings
        self._changed = changed
        self._shaking: list[PendingDataConnection] = []
        self._secured: PendingDataConnection | None = None  # complete, and not resumed
        self._secured_at = self._failed_at = 0.0
        self._is_contested = False
        self._wanted_at = inf

    @property
    def is_full(self) -> bool:
        """Whether no more may begin."""
        return len(self._shaking) >= MAX_CANDIDATES

    @property
    def has_handshakes(self) -> bool:
        """Whether one of them may still win."""
        return bool(self._shaking) or self.is_ready

    @property
    def is_ready(self) -> bool:
        """Whether there is a connection that a transfer can begin on."""
        return self.winner is not None or self._secured is not None

    def all_use(self, cover: DataTLSContext | None) -> bool:
        """Tell whether all of them have this TLS."""
        return all(one.data_tls == cover for one in self._all())

    def admit(self, cover: DataTLSContext) -> PendingDataConnection:
        """Return a new one; it begins its handshake when its connection is made."""
        self._is_contested |= bool(self._shaking) or self._secured is not None
        arrival = PendingDataConnection(self._clock, self._settings, cover, self._settle)
        self._shaking.append(arrival)
        return arrival

    def start_waiting(self) -> None:
        """The command has come: the time for handshakes is counted from now on."""
        if self._wanted_at == inf:
            self._wanted_at = self._clock.seconds()

    def choose(self) -> None:
        """Choose the winner if it can be told now, and give up those whose time is over."""
        now = self._clock.seconds()
        timeout = self._settings.handshake_timeout
        for one in tuple(self._shaking):
            if now >= self._expiry(one):
                one.give_up(f"no TLS in {timeout:g} seconds")
        first = self._secured
        if self.winner is None and first is not None and now >= self._chosen_at(first):
            self._win(first)

    def next_choice(self) -> float:
        """Return when `choose` has to be called again, or when nobody else is waited for."""
        if self._secured is not None:
            return self._chosen_at(self._secured)
        if self._shaking:
            return min(self._expiry(one) for one in self._shaking)
        return max(self._failed_at, self._wanted_at) + RETRY_GRACE_SECONDS if self.problem else inf

    def close(self, keeping: PendingDataConnection | None = None) -> None:
        """End all of them, but for one."""
        everybody, self._shaking, self._secured = self._all(), [], None
        for one in everybody:
            if one is not keeping:
                one.close_gracefully()

    def _all(self) -> list[PendingDataConnection]:
        return [*self._shaking, *filter(None, (self._secured, self.winner))]

    def _expiry(self, arrival: PendingDataConnection) -> float:
        timeout = self._settings.handshake_timeout
        return max(arrival.since, self._wanted_at) + timeout if timeout else inf

    def _chosen_at(self, first: PendingDataConnection) -> float:
        """Return when one that did not resume wins, as things are."""
        assert first.data_tls is not None
        if first.data_tls.session_reuse.resumes is False:
            return 0.0
        grace = RESUMPTION_GRACE_SECONDS if self._shaking else 0.0
        return max(self._secured_at, self._wanted_at) + grace

    def _settle(self, arrival: PendingDataConnection) -> None:
        self._shaking.remove(arrival)
        now = self._clock.seconds()
        if arrival.problem:
            in_vain = now >= self._expiry(arrival)  # others have had as long as it had
            self.problem, self._failed_at = arrival.problem, self._wanted_at if in_vain else now
        elif self.winner is not None:
            arrival.close_gracefully()
        elif arrival.is_resumed:
            self._win(arrival)
        elif self._secured is None:
            self._secured, self._secured_at = arrival, now
        else:
            arrival.close_gracefully()
        self._changed()

    def _win(self, arrival: PendingDataConnection) -> None:
        self.winner = arrival
        assert arrival.data_tls is not None
        arrival.data_tls.session_reuse.learn(arrival.is_resumed, self._is_contested)
        self.close(keeping=arrival)
