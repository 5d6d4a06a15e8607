"""Tells which of the places that are listened on somebody else's machine could reach."""

from __future__ import annotations

from ipaddress import ip_address

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress

__all__ = ["is_local"]


def is_local(address: IAddress) -> bool:
    """Tell whether only this machine can connect to a port with this address.

    A wildcard address is not local, and neither is one that cannot be understood.
    """
    if isinstance(address, UNIXAddress):
        return True
    if not isinstance(address, IPv4Address | IPv6Address):
        return False
    try:
        host = ip_address(address.host.partition("%")[0])
    except ValueError:
        return False
    return (getattr(host, "ipv4_mapped", None) or host).is_loopback
