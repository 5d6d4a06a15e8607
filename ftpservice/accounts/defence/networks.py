"""Client addresses: an IPv4-mapped IPv6 address is IPv4, and IPv6 is counted per /64."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Generic, TypeVar

__all__ = [
    "Network",
    "NetworkTable",
    "Networks",
    "address_group",
    "client_address",
    "is_in_networks",
    "network_set",
    "parse_network",
]

T = TypeVar("T")
Network = IPv4Network | IPv6Network

MAX_CACHED_ADDRESSES = 4096
"""Size of the caches of parsed addresses."""
IPV6_PREFIX_BITS = 64
"""The smallest usual allocation: one client can use any address in it."""


def parse_network(text: str) -> Network:
    """Parse an address or a network; raises `ValueError` that says what was probably meant."""
    try:
        return ip_network(text)
    except ValueError:
        pass
    try:
        meant = ip_network(text, strict=False)
    except ValueError:
        raise ValueError(
            f"{text!r} is no address or network, such as 192.168.1.40 or 10.0.0.0/8"
        ) from None
    raise ValueError(f"{text!r} is an address in the network {meant}; give one of both")


@lru_cache(MAX_CACHED_ADDRESSES)
def client_address(text: str) -> IPv4Address | IPv6Address | None:
    """Parse a client's address; None if it is not an IP address (a UNIX socket)."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def is_in_networks(peer: str | None, networks: Iterable[Network]) -> bool:
    """Return whether ``peer`` is in any of the networks; False for an unknown peer."""
    address = client_address(peer) if peer is not None else None
    return address is not None and any(address in network for network in networks)


@lru_cache(MAX_CACHED_ADDRESSES)
def address_group(peer: str) -> str:
    """Return the key for limits per address: the IPv4 address, the IPv6 /64, or ``peer``."""
    address = client_address(peer)
    if isinstance(address, IPv6Address):
        return str(ip_network((address, IPV6_PREFIX_BITS), strict=False))
    return str(address) if address is not None else peer


class NetworkTable(Generic[T]):
    """One value by network, for thousands: a look-up costs one step per prefix length."""

    def __init__(self, items: Iterable[tuple[Network, T]]) -> None:
        self._values: dict[tuple[int, int], dict[int, T]] = {}
        """By version and number of bits after the prefix, and by the prefix."""
        for network, value in items:
            self.put(network, value)

    def put(self, network: Network, value: T) -> None:
        """Set the value of a network."""
        kind, prefix = _position(network)
        self._values.setdefault(kind, {})[prefix] = value

    def discard(self, network: Network) -> None:
        """Remove a network, if it is there."""
        kind, prefix = _position(network)
        by_prefix = self._values.get(kind, {})
        by_prefix.pop(prefix, None)
        if not by_prefix:
            self._values.pop(kind, None)

    def __bool__(self) -> bool:
        """Return whether there is any network."""
        return bool(self._values)

    def values_for(self, peer: str) -> list[T]:
        """Return the values of all networks that contain an address."""
        address = client_address(peer) if self._values else None
        if address is None:
            return []
        version, bits = address.version, int(address)
        return [
            by_prefix[bits >> host_bits]
            for (its_version, host_bits), by_prefix in self._values.items()
            if its_version == version and bits >> host_bits in by_prefix
        ]


def _position(network: Network) -> tuple[tuple[int, int], int]:
    host_bits = network.max_prefixlen - network.prefixlen
    return (network.version, host_bits), int(network.network_address) >> host_bits


Networks = Iterable[Network] | NetworkTable[None]
"""Some networks, or the same ready to be looked up."""


def network_set(networks: Networks) -> NetworkTable[None]:
    """Return networks ready to be looked up; with thousands, call it in a thread."""
    if isinstance(networks, NetworkTable):
        return networks
    return NetworkTable((network, None) for network in networks)
