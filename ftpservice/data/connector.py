"""What a session prepares for its next transfer: a port to listen on, or a place to connect to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from typing import Any

from twisted.internet.task import deferLater

from ftpservice.data.active import ActiveChannel
from ftpservice.data.channel import DataChannel
from ftpservice.data.data_tls import DataTLSContext, no_tls
from ftpservice.data.listener import DataListener
from ftpservice.data.masquerade import MasqueradeAddresses
from ftpservice.data.passive import PassiveChannel
from ftpservice.data.passive_ports import NoPortFree, PassivePorts
from ftpservice.data.peer_policy import DataSettings, PeerPolicy
from ftpservice.wire.addresses import HostPort, canonical_host, is_ipv6

__all__ = ["ControlAddresses", "DataConnector", "PeerRefused", "WrongFamily"]

WILDCARD_ADDRESSES = {1: "0.0.0.0", 2: "::"}
"""The wildcard addresses, by network protocol (RFC 2428 §2)."""
LOOPBACK_ADDRESS = "127.0.0.1"
EARLY_CONNECT_SECONDS = (0.99, 1.1)
"""Seconds that curl (7.88 does) sleeps when the reply to EPSV is there before it has looked up from
its question; on one machine that happens with every file behind the first."""
FIRST_BREATH_SECONDS, MAX_BREATH_SECONDS = 0.001, 0.008
"""Seconds that such a client gets to look up: twice as many whenever that was not enough."""


class PeerRefused(Exception):
    """Not to that host or port (`PeerPolicy`)."""


class WrongFamily(Exception):
    """The data connection cannot be of another IP version than the control connection."""


@dataclass(frozen=True, slots=True)
class ControlAddresses:
    """The hosts of a control connection."""

    peer: str | None
    """``None`` for a UNIX socket, whose client is on this machine."""
    local: str
    proxied: bool = False
    """Whether both are from a PROXY header: then ``local`` need not be an address of ours."""


class DataConnector:
    """Prepares one data connection at a time for one session."""

    data_tls: Callable[[], DataTLSContext | None] = staticmethod(no_tls)
    """Tells what TLS data connections have now (PROT); asked for each when it begins."""

    def __init__(
        self,
        reactor: Any,
        settings: DataSettings,
        ports: PassivePorts,
        masquerade: MasqueradeAddresses,
        ends: ControlAddresses,
    ) -> None:
        self._unused = ports.idle_ports(reactor)
        self._reactor = reactor
        self._settings = settings
        self._ports = ports
        self._masquerade = masquerade
        self._proxied = ends.proxied
        self._local = LOOPBACK_ADDRESS if ends.peer is None else canonical_host(ends.local)
        self._policy = PeerPolicy(ends.peer or LOOPBACK_ADDRESS)
        self._prepared: DataChannel | None = None
        self._listens_since = 0.0
        self._breath = 0.0
        self._comes_early = False  # a client that waits for TLS before its command is not kept

    @property
    def family(self) -> int:
        """The network protocol of the control connection: 1 for IPv4, 2 for IPv6."""
        return 2 if is_ipv6(self._policy.peer) else 1

    async def passive(self, extended: bool, family: int | None = None) -> HostPort:
        """Listen for the client, and return what to announce; ``extended`` is EPSV.

        Raises `WrongFamily`, `NoPortFree`, `CannotConnect`.
        """
        wanted = (family or self.family) if extended else 1
        if wanted != self.family:
            raise WrongFamily
        self._replace(None)
        if self._breath:
            await deferLater(self._reactor, self._breath)
        host = self._local
        if not extended:
            host = await self._masquerade.announced(self._policy.peer, self._local)
        door = self.open_listener()
        passive = PassiveChannel(self._reactor, self._settings, self._policy, door, self.data_tls)
        self._replace(passive)
        self._unused.add(self, self._policy.peer, self._settings.data_timeout)
        self._listens_since = self._reactor.seconds()
        if self._comes_early:
            passive.watch()
        return HostPort(host, door.port)

    def open_listener(self) -> DataListener:
        """Listen, on the port of somebody who does not use it if need be.

        Raises `NoPortFree`, `CannotConnect`.
        """
        try:
            own = self._ports.listen(self._interface())
        except NoPortFree:
            if not self._unused.reclaim_port():
                raise
            own = self._ports.listen(self._interface())
        return DataListener(self._reactor, own)

    def has_idle_port(self) -> bool:
        """Tell whether there is a port that nobody has connected to yet."""
        return isinstance(self._prepared, PassiveChannel) and self._prepared.check_unused()

    def close_idle_port(self, problem: str) -> None:
        """Listen no more; a client that has connected is kept for its command."""
        if isinstance(self._prepared, PassiveChannel):
            self._prepared.stop_listening(problem)

    def active(self, target: HostPort) -> None:
        """Remember where to connect; raises `WrongFamily`, `PeerRefused`.

        The wildcard address of IPv6, which lftp says for its own, stands for the client.
        """
        if target.host == WILDCARD_ADDRESSES[2] and self.family == 2:
            target = HostPort(self._policy.peer, target.port)
        if (2 if is_ipv6(target.host) else 1) != self.family:
            raise WrongFamily
        if not self._policy.may_connect(target.host, target.port):
            raise PeerRefused
        local = None if self._proxied else self._local
        self._replace(ActiveChannel(self._reactor, self._settings, target, local, self.data_tls))

    def take(self) -> DataChannel | None:
        """Hand over what was prepared, and forget it; every transfer needs a new one.

        A connection that began before PROT changed is none.
        """
        prepared, self._prepared = self._prepared, None
        if isinstance(prepared, PassiveChannel):
            self._unused.discard(self)
            self._comes_early |= prepared.connected_early
            least, most = EARLY_CONNECT_SECONDS
            if least < self._reactor.seconds() - self._listens_since < most:
                self._breath = min(max(FIRST_BREATH_SECONDS, 2 * self._breath), MAX_BREATH_SECONDS)
        if prepared is not None and not prepared.matches_protection:
            prepared.close()
            return None
        return prepared

    def close(self) -> None:
        """Close what was prepared and not taken."""
        self._replace(None)

    def _replace(self, channel: DataChannel | None) -> None:
        former, self._prepared = self._prepared, channel
        if former is not None:
            self._unused.discard(self)
            former.close()

    def _interface(self) -> str:
        """Return the address to listen on."""
        if self._proxied or _is_link_local(self._local):
            return WILDCARD_ADDRESSES[self.family]
        return self._local


@lru_cache(maxsize=64)
def _is_link_local(host: str) -> bool:
    return ip_address(host).is_link_local
