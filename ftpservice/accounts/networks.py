"""Clients' addresses compared as addresses: mapped IPv4 is IPv4, an IPv6 customer is a /64."""

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

__all__ = ["Network", "address_group", "client_address", "is_in_networks"]

Network = IPv4Network | IPv6Network

MAX_CACHED_ADDRESSES = 4096
"""Addresses whose reading is remembered."""
IPV6_PREFIX_BITS = 64
"""What one IPv6 customer has at least; anything finer is theirs to vary."""


@lru_cache(MAX_CACHED_ADDRESSES)
def client_address(text: str) -> IPv4Address | IPv6Address | None:
    """Read a peer's address; ``None`` for what is none, as of a UNIX socket."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def is_in_networks(peer: str | None, networks: Iterable[Network]) -> bool:
    """Tell whether ``peer`` lies in any of the networks; an unknown peer lies in none."""
    address = client_address(peer) if peer is not None else None
    return address is not None and any(address in network for network in networks)


@lru_cache(MAX_CACHED_ADDRESSES)
def address_group(peer: str) -> str:
    """Return what ``peer`` is counted under: its IPv4 address, its IPv6 /64, or itself."""
    address = client_address(peer)
    if isinstance(address, IPv6Address):
        return str(ip_network((address, IPV6_PREFIX_BITS), strict=False))
    return str(address) if address is not None else peer
