"""Failed logins, which the nodes of a cluster tell each other.

Each node counts them as its own, for the delays of an address and for bans. They are told by NOTIFY
some times a second, many at once; what cannot be told, because the database is away or there are
too many, is counted by one node only. Successes are told of addresses that have failed before.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from twisted.internet.interfaces import IDelayedCall

from ftpservice.accounts.defence.bans import POINTS, BanList
from ftpservice.accounts.defence.login_attempts import LoginAttempts
from ftpservice.accounts.defence.networks import client_address
from ftpservice.cluster.cluster_node import ClusterNode
from ftpservice.events import Event, LoggedIn, LoginFailed

__all__ = ["FailedLoginExchange"]

FAILURES = "failures"
TELL_SECONDS = 0.1
ADDRESSES_PER_MESSAGE = 80
"""A message of NOTIFY has less than 8,000 bytes."""
MAX_ADDRESSES = 2000
"""Addresses that wait to be told."""


class FailedLoginExchange:
    """A subscriber of `LoginFailed` and `LoggedIn`."""

    def __init__(
        self, node: ClusterNode, attempts: LoginAttempts, bans: BanList, clock: Any
    ) -> None:
        self._node = node
        self._attempts = attempts
        self._bans = bans
        self._clock = clock
        self._untold: OrderedDict[str, list[float]] = OrderedDict()
        """By address: failures, successes, and points for a ban."""
        self._due: IDelayedCall | None = None
        node.receivers.append(self.received)

    def __call__(self, event: Event) -> None:
        """Take an event."""
        if isinstance(event, LoginFailed) and (points := POINTS.get(event.reason)):
            self._count(event.peer, 1, 0, points)
        elif isinstance(event, LoggedIn) and self._attempts.remembers(event.peer):
            self._count(event.peer, 0, 1, 0.0)

    def _count(self, address: str, *numbers: float) -> None:
        if client_address(address) is None:
            return
        counts = self._untold.setdefault(address, [0, 0, 0.0])
        for index, number in enumerate(numbers):
            counts[index] += number
        if len(self._untold) > MAX_ADDRESSES:
            self._untold.popitem(last=False)
        if self._due is None:
            self._due = self._clock.callLater(TELL_SECONDS, self._tell)

    def _tell(self) -> None:
        """Tell the first addresses, and the others later."""
        due, self._due = self._due, None
        if due is not None and due.active():
            due.cancel()
        if not self._node.is_connected:
            self._untold.clear()
            return
        count = min(ADDRESSES_PER_MESSAGE, len(self._untold))
        told = dict(self._untold.popitem(last=False) for _ in range(count))
        self._node.tell(FAILURES, counts=told)
        if self._untold:
            self._due = self._clock.callLater(TELL_SECONDS / 10, self._tell)

    def received(self, message: Mapping[str, Any]) -> None:
        """Count what another node has told."""
        if message["kind"] != FAILURES or message["from"] == self._node.facts.run:
            return
        for address, (failures, successes, points) in message["counts"].items():
            self._attempts.count_elsewhere(address, int(failures), int(successes))
            if points:
                self._bans.add_points(address, float(points))

    def close(self) -> None:
        """Tell the last ones; called before the node leaves, or another program goes on."""
        while self._untold:
            self._tell()
        if self._due is not None:
            self._due.cancel()
            self._due = None
