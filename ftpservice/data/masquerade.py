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
"""Time for which a resolved address is used."""
RETRY_SECONDS = 5.0
"""Time until a name that could not be resolved is tried again."""
RESOLVE_TIMEOUT_SECONDS = 3.0
"""Time that a client waits for the resolver; then the last address is used."""


class MasqueradeAddresses:
    """What PASV announces to which client; names are resolved by the reactor, without blocking."""

    def __init__(self, reactor: Any, rules: Sequence[AddressRule]) -> None:
        self.has_rules = bool(rules)
        self._rules = sorted(rules, key=_prefix_length, reverse=True)
        self._names = {
            rule.address: ResolvedName(reactor, rule.address)
            for rule in rules
            if rule.address and not _is_address(rule.address)
        }

    async def address_for(self, client: str, local: str) -> str:
        """Return the address for ``client``, whose control connection has the address ``local``.

        The rule with the longest matching network decides; without a rule it is ``local``. Raises
        `CannotOpenDataConnection`.
        """
        address = next((rule.address for rule in self._rules if _matches(rule, client)), "")
        name = self._names.get(address)
        if name is not None:
            return await name.address()
        return address or local


def _prefix_length(rule: AddressRule) -> int:
    return -1 if rule.network is None else rule.network.prefixlen


def _matches(rule: AddressRule, client: str) -> bool:
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
    """A DNS name and its last address."""

    def __init__(self, reactor: Any, name: str) -> None:
        self._reactor = reactor
        self._name = name
        self._known: str | None = None
        self._found: str | None = None
        self._retry_at = float("-inf")
        self._is_resolving = False
        self._waiting: list[Wakeup] = []

    async def address(self) -> str:
        """Return an IPv4 address; raises `CannotOpenDataConnection` if there never was one."""
        if not self._is_resolving and self._reactor.seconds() >= self._retry_at:
            self._is_resolving = True
            self._found = None
            self._reactor.nameResolver.resolveHostName(self, self._name, addressTypes=[TCPAddress])
        if self._is_resolving:
            await self._wait()
        if self._known is None:
            raise CannotOpenDataConnection(f"{self._name} has no address")
        return self._known

    async def _wait(self) -> None:
        wakeup = Wakeup(self._reactor)
        self._waiting.append(wakeup)
        try:
            await wakeup.wait(RESOLVE_TIMEOUT_SECONDS)
        finally:
            self._waiting.remove(wakeup)

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:
        """Do nothing."""

    def addressResolved(self, address: IAddress) -> None:
        """Keep the first address."""
        host = getattr(address, "host", "")
        if self._found is None and _is_ipv4(host):
            self._found = host

    def resolutionComplete(self) -> None:
        """Wake all who wait, with the new address or the last one."""
        self._is_resolving = False
        self._known = self._found or self._known
        seconds = CACHE_SECONDS if self._found else RETRY_SECONDS
        self._retry_at = self._reactor.seconds() + seconds
        for wakeup in tuple(self._waiting):
            wakeup.wake_waiter()


def _is_ipv4(host: str) -> bool:
    return _is_address(host) and isinstance(ip_address(host), IPv4Address)
