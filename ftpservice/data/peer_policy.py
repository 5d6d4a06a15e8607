"""Which peer a data connection may have, and the settings of data connections."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address, ip_network

from ftpservice.accounts.defence.networks import Network, is_in_networks
from ftpservice.wire.addresses import canonical_host, same_host
from ftpservice.wire.units import require_amounts

__all__ = [
    "AddressRule",
    "DataSettings",
    "PeerPolicy",
    "parse_address_rule",
    "parse_passive_port",
    "parse_port_range",
]

MAX_PORT = 65535
MIN_ACTIVE_PORT = 1024
"""Lower ports belong to services; no client listens there (RFC 2577 §3)."""
PORT_RANGE = re.compile(r"([0-9]{1,5})(?:\s*[-:]\s*([0-9]{1,5}))?", re.ASCII)
LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
NAME = re.compile(rf"(?=.{{1,253}}$){LABEL}(?:\.{LABEL})*\.?", re.ASCII)


@dataclass(frozen=True, slots=True)
class AddressRule:
    """What PASV announces to the clients of a network."""

    network: IPv4Network | IPv6Network | None
    """``None`` for all clients."""
    address: str
    """An IPv4 address or a DNS name; empty: the address that the client connected to."""


@dataclass(frozen=True, slots=True)
class DataSettings:
    """Ports, addresses and timeouts; seconds, 0 for no timeout.

    Raises `TypeError` or `ValueError` for a malformed value.
    """

    passive_ports: tuple[int, int] | None = None
    """First and last; ``None`` for any port."""
    passive_port: int | None = None
    """The port that all sessions share for their passive data connections.

    With it ``passive_ports`` are used only where several sessions of one address wait.
    """
    passive_proxied: tuple[Network, ...] = ()
    """The balancers whose data connections begin with a header of the PROXY protocol."""
    passive_addresses: tuple[AddressRule, ...] = ()
    data_timeout: float = 30.0
    """For the data connection to be made."""
    stall_timeout: float = 60.0
    """Without a byte in either direction."""
    handshake_timeout: float = 20.0
    """For a TLS handshake, from the command or the connection if that is later."""
    require_session_reuse: bool = False
    """Whether a data connection must resume the TLS session of the control connection."""
    allow_truncated: bool = False
    """Whether an upload may end without close_notify under TLS."""

    def __post_init__(self) -> None:
        if self.passive_ports is not None:
            object.__setattr__(self, "passive_ports", _first_and_last(self.passive_ports))
        if self.passive_port is not None:
            _check_shared_port(self.passive_port, self.passive_ports)
        if not isinstance(self.passive_addresses, (tuple, list)) or not all(
            isinstance(rule, AddressRule) for rule in self.passive_addresses
        ):
            raise TypeError(
                "passive_addresses is a tuple of AddressRule (parse_address_rule returns one),"
                f" not {self.passive_addresses!r}"
            )
        _check_networks(self.passive_proxied)
        require_amounts(self, float, "data_timeout", "stall_timeout", "handshake_timeout")

    def is_balancer(self, host: str) -> bool:
        """Return whether a data connection from ``host`` has to begin with a PROXY header."""
        return bool(self.passive_proxied) and is_in_networks(host, self.passive_proxied)


def _first_and_last(ports: object) -> tuple[int, int]:
    if isinstance(ports, (tuple, list)) and [type(port) for port in ports] == [int, int]:
        first, last = ports
        if 1 <= first <= last <= MAX_PORT:
            return first, last
    raise ValueError(
        f"passive_ports is {ports!r}; it has to be the first and the last port, from 1 to"
        f" {MAX_PORT}, such as (50000, 50099), or None"
    )


def _check_shared_port(port: object, ports: tuple[int, int] | None) -> None:
    if type(port) is not int or not 1 <= port <= MAX_PORT:
        raise ValueError(f"passive_port is {port!r}; it has to be from 1 to {MAX_PORT}, or None")
    if ports is not None and ports[0] <= port <= ports[1]:
        raise ValueError(f"passive_port {port} is one of passive_ports; it has to be another")


def _check_networks(networks: object) -> None:
    if not isinstance(networks, (tuple, list)) or not all(
        isinstance(network, (IPv4Network, IPv6Network)) for network in networks
    ):
        raise TypeError(
            f"passive_proxied is a tuple of networks of the module ipaddress, not {networks!r}"
        )


def parse_passive_port(text: str) -> int:
    """Read the number of a port; raises `ValueError`."""
    match = PORT_RANGE.fullmatch(text.strip())
    if match is None or match[2] is not None or not 1 <= int(match[1]) <= MAX_PORT:
        raise ValueError(f"{text!r} is not one port from 1 to 65535, such as 50000")
    return int(match[1])


def parse_port_range(text: str) -> tuple[int, int]:
    """Read ``50000-50100`` or ``50000``; raises `ValueError`."""
    match = PORT_RANGE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a range of ports, as 50000-50100 is")
    first, last = int(match[1]), int(match[2] or match[1])
    if not 1 <= first <= last <= MAX_PORT:
        raise ValueError(f"{text!r} is not a range of ports from 1 to 65535, the lower one first")
    return first, last


def parse_address_rule(text: str) -> AddressRule:
    """Read ``203.0.113.5``, ``ftp.example.com``, ``10.0.0.0/8=10.0.0.5`` or ``10.0.0.0/8=``.

    Raises `ValueError`.
    """
    network, equals, address = text.strip().rpartition("=")
    if not equals:
        return AddressRule(None, _announceable(address, text))
    return AddressRule(_network(network.strip()), _announceable(address.strip(), text, empty=True))


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        network = ip_network(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is not a network, as 10.0.0.0/8 is: {error}") from None
    if network.version == 6:
        raise ValueError(f"{text!r} is IPv6, where PASV and its address are not used")
    return network


def _announceable(address: str, text: str, empty: bool = False) -> str:
    if empty and not address:
        return ""
    try:
        version = ip_address(address).version
    except ValueError:
        last = address.rstrip(".").rpartition(".")[2]
        if NAME.fullmatch(address) and not last.isdigit():
            return address
        raise ValueError(
            f"{text!r} is neither an IPv4 address nor a DNS name, nor NETWORK=ADDRESS"
        ) from None
    if version == 6:
        raise ValueError(f"{text!r}: PASV can announce only IPv4 addresses")
    return str(IPv4Address(address))


class PeerPolicy:
    """Decides which hosts may have a session's data connections.

    Only the peer of the control connection may, so that there is no bounce attack and no theft of
    data connections (RFC 2577 §3); an IPv4 address mapped into IPv6 is that IPv4 address.
    """

    __slots__ = ("peer",)

    def __init__(self, peer: str) -> None:
        self.peer = canonical_host(peer)

    def accepts(self, peer_host: str) -> bool:
        """Return whether a connection from ``peer_host`` may be accepted."""
        return same_host(self.peer, peer_host)

    def may_connect(self, host: str, port: int) -> bool:
        """Return whether a connection to ``host`` and ``port`` may be made."""
        return port >= MIN_ACTIVE_PORT and same_host(self.peer, host)
