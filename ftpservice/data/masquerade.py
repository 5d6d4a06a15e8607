"""The address that PASV announces, for a server behind NAT (`AddressRule`)."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, ip_address
from typing import Any

from twisted.internet.address import IPv4Address as TCPAddress
from twisted.internet.interfaces import IAddress, IHostResolution, IResolutionReceiver
from zope.interface import implementer

from ftpservice.data.channel import CannotOpenDataConnection
from ftpservice.data.peer_policy import AddressRule
from ftpservice.stream.stall_timeout import Wakeup
from ftpservice.wire.addresses import canonical_host

__all__ = ["MasqueradeAddresses"]

CACHE_SECONDS = 60.0
"""Seconds that an answer is used without asking again."""
RETRY_SECONDS = 5.0
"""Seconds until a name that could not be resolved is asked for again."""
RESOLVE_TIMEOUT_SECONDS = 3.0
"""Seconds that a client waits for an answer; then the last good one does."""


class MasqueradeAddresses:
    """Knows what to announce to whom; names are resolved by the reactor, without blocking."""

    def __init__(self, reactor: Any, rules: Sequence[AddressRule]) -> None:
        self._rules = sorted(rules, key=_length, reverse=True)
        self._names = {
            rule.address: ResolvedName(reactor, rule.address)
            for rule in rules
            if rule.address and not _is_address(rule.address)
        }

    async def announced(self, client: str, own: str) -> str:
        """Return the address for ``client``, whose control connection reached ``own``.

        Raises `CannotOpenDataConnection`.

        The rule with the longest matching network decides; without one it is ``own``.
        """
        address = next((rule.address for rule in self._rules if _holds(rule, client)), "")
        name = self._names.get(address)
        if name is not None:
            return await name.address()
        return address or own


def _length(rule: AddressRule) -> int:
    return -1 if rule.network is None else rule.network.prefixlen


def _holds(rule: AddressRule, client: str) -> bool:
    if rule.network is None:
        return True
    host = canonical_host(client)
    return _is_address(host) and ip_address(host) in rule.network


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


@implementer(IResolutionReceiver)
class ResolvedName:
    """A DNS name and its last good address."""

    def __init__(self, reactor: Any, name: str) -> None:
        self._reactor = reactor
        self._name = name
        self._known: str | None = None
        self._found: str | None = None
        self._ask_again = float("-inf")
        self._asking = False
        self._waiting: list[Wakeup] = []

    async def address(self) -> str:
        """Return an IPv4 address; raises `CannotOpenDataConnection` when there never was one."""
        if not self._asking and self._reactor.seconds() >= self._ask_again:
            self._asking = True
            self._found = None
            self._reactor.nameResolver.resolveHostName(self, self._name, addressTypes=[TCPAddress])
        if self._asking:
            await self._answer()
        if self._known is None:
            raise CannotOpenDataConnection(f"{self._name} has no address")
        return self._known

    async def _answer(self) -> None:
        bell = Wakeup(self._reactor)
        self._waiting.append(bell)
        try:
            await bell.wait(RESOLVE_TIMEOUT_SECONDS)
        finally:
            self._waiting.remove(bell)

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:
        """Nothing to do."""

    def addressResolved(self, address: IAddress) -> None:
        """Keep the first address."""
        host = getattr(address, "host", "")
        if self._found is None and _is_ipv4(host):
            self._found = host

    def resolutionComplete(self) -> None:
        """Let all who wait go on, with the new address or the last good one."""
        self._asking = False
        self._known = self._found or self._known
        good_for = CACHE_SECONDS if self._found else RETRY_SECONDS
        self._ask_again = self._reactor.seconds() + good_for
        for bell in tuple(self._waiting):
            bell.wake_waiter()


def _is_ipv4(host: str) -> bool:
    return _is_address(host) and isinstance(ip_address(host), IPv4Address)
