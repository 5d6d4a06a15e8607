"""The settings of passive data connections."""

from __future__ import annotations

from dataclasses import dataclass

from ftpservice.accounts.defence.networks import Network, parse_network
from ftpservice.data.peer_policy import (
    AddressRule,
    parse_address_rule,
    parse_passive_port,
    parse_port_range,
)
from ftpservice.service.settings.errors import SettingsConflict
from ftpservice.service.settings.setting import SECONDS, TEXT, TEXTS, setting

__all__ = ["DataConnectionSettings"]


@dataclass(frozen=True)
class DataConnectionSettings:
    """Ports, addresses and time of passive data connections."""

    passive_ports: tuple[int, int] | None = setting(
        TEXT,
        None,
        "Ports for passive data connections, such as 50000-50100 (default: any free port).",
        parse_port_range,
        example='"50000-50100"',
        live=True,
    )
    passive_port: int | None = setting(
        TEXT,
        None,
        "One port for the passive data connections of all sessions, such as 50000; with "
        "passive-ports too, those are used where several sessions of one address wait.",
        parse_passive_port,
        example="50000",
    )
    passive_proxied: tuple[Network, ...] = setting(
        TEXTS,
        (),
        "Address or network of a load balancer whose passive data connections begin with a header "
        "of the PROXY protocol, version 1 or 2, which names the client.",
        parse_network,
        example='["10.0.0.2"]',
    )
    passive_address: tuple[AddressRule, ...] = setting(
        TEXTS,
        (),
        "Address or DNS name to announce in the reply to PASV, for a server behind NAT; "
        "NETWORK=ADDRESS applies to clients in that network only.",
        parse_address_rule,
        example='["203.0.113.7"]',
        live=True,
    )
    data_timeout: float = setting(
        SECONDS,
        30,
        "Time limit for a data connection to be made; an unused passive port is closed then. 0 "
        "for no limit.",
        live=True,
    )

    def check_passive_port(self) -> None:
        """Raise `SettingsConflict` if the one port is among the others."""
        ports, port = self.passive_ports, self.passive_port
        if ports is not None and port is not None and ports[0] <= port <= ports[1]:
            raise SettingsConflict(
                f"--passive-port {port} is one of --passive-ports: choose another port"
            )
