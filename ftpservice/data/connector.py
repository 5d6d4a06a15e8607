"""What a session prepares for its next transfer: a port to listen on, or a place to connect to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from typing import Any

from twisted.internet.task import deferLater

from ftpservice.data.active import ActiveChannel
from ftpservice.data.channel import Channel
from ftpservice.data.data_tls import Cover, in_clear
from ftpservice.data.listener import Door
from ftpservice.data.masquerade import Masquerade
from ftpservice.data.passive import PassiveChannel
from ftpservice.data.passive_ports import NoPortFree, PassivePorts
from ftpservice.data.peer_policy import DataSettings, PeerPolicy
from ftpservice.wire.addresses import HostPort, is_ipv6, plain_host

__all__ = ["DataConnector", "Ends", "PeerRefused", "WrongFamily"]

ANYWHERE = {1: "0.0.0.0", 2: "::"}
"""The wildcard addresses, by network protocol (RFC 2428 §2)."""
SAME_MACHINE = "127.0.0.1"
SLUMBER = (0.99, 1.1)
"""Seconds that curl (7.88 does) sleeps when the reply to EPSV is there before it has looked up from
its question; on one machine that happens with every file behind the first."""
BREATH, LONGEST_BREATH = 0.001, 0.008
"""Seconds that such a client gets to look up: twice as many whenever that was not enough."""


class PeerRefused(Exception):
    """Not to that host or port (`PeerPolicy`)."""


class WrongFamily(Exception):
    """The data connection cannot be of another IP version than the control connection."""


@dataclass(frozen=True, slots=True)
class Ends:
    """The hosts of a control connection."""

    peer: str | None
    """``None`` for a UNIX socket, whose client is on this machine."""
    local: str
    proxied: bool = False
    """Whether both are from a PROXY header: then ``local`` need not be an address of ours."""


class DataConnector:
    """Prepares one data connection at a time for one session."""

    cover: Callable[[], Cover | None] = staticmethod(in_clear)
    """Tells what TLS data connections have now (PROT); asked for each when it begins."""

    def __init__(
        self,
        reactor: Any,
        settings: DataSettings,
        ports: PassivePorts,
        masquerade: Masquerade,
        ends: Ends,
    ) -> None:
        self._unused = ports.unused(reactor)
        self._reactor = reactor
        self._settings = settings
        self._ports = ports
        self._masquerade = masquerade
        self._proxied = ends.proxied
        self._local = SAME_MACHINE if ends.peer is None else plain_host(ends.local)
        self._policy = PeerPolicy(ends.peer or SAME_MACHINE)
        self._prepared: Channel | None = None
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
        door = self.door()
        passive = PassiveChannel(self._reactor, self._settings, self._policy, door, self.cover)
        self._replace(passive)
        self._unused.add(self, self._policy.peer, self._settings.data_timeout)
        self._listens_since = self._reactor.seconds()
        if self._comes_early:
            passive.watch()
        return HostPort(host, door.port)

    def door(self) -> Door:
        """Listen, on the port of somebody who does not use it if need be.

        Raises `NoPortFree`, `CannotConnect`.
        """
        try:
            own = self._ports.listen(self._interface())
        except NoPortFree:
            if not self._unused.make_room():
                raise
            own = self._ports.listen(self._interface())
        return Door(self._reactor, own)

    def holds_unused_port(self) -> bool:
        """Tell whether there is a port that nobody has connected to yet."""
        return isinstance(self._prepared, PassiveChannel) and self._prepared.look_unused()

    def drop_port(self, problem: str) -> None:
        """Listen no more; a client that has connected is kept for its command."""
        if isinstance(self._prepared, PassiveChannel):
            self._prepared.listen_no_more(problem)

    def active(self, target: HostPort) -> None:
        """Remember where to connect; raises `WrongFamily`, `PeerRefused`.

        The wildcard address of IPv6, which lftp says for its own, stands for the client.
        """
        if target.host == ANYWHERE[2] and self.family == 2:
            target = HostPort(self._policy.peer, target.port)
        if (2 if is_ipv6(target.host) else 1) != self.family:
            raise WrongFamily
        if not self._policy.may_connect(target.host, target.port):
            raise PeerRefused
        local = None if self._proxied else self._local
        self._replace(ActiveChannel(self._reactor, self._settings, target, local, self.cover))

    def take(self) -> Channel | None:
        """Hand over what was prepared, and forget it; every transfer needs a new one.

        A connection that began before PROT changed is none.
        """
        prepared, self._prepared = self._prepared, None
        if isinstance(prepared, PassiveChannel):
            self._unused.discard(self)
            self._comes_early |= prepared.came_early
            least, most = SLUMBER
            if least < self._reactor.seconds() - self._listens_since < most:
                self._breath = min(max(BREATH, 2 * self._breath), LONGEST_BREATH)
        if prepared is not None and not prepared.fits:
            prepared.close()
            return None
        return prepared

    def close(self) -> None:
        """Close what was prepared and not taken."""
        self._replace(None)

    def _replace(self, channel: Channel | None) -> None:
        former, self._prepared = self._prepared, channel
        if former is not None:
            self._unused.discard(self)
            former.close()

    def _interface(self) -> str:
        """Return the address to listen on."""
        if self._proxied or _is_link_local(self._local):
            return ANYWHERE[self.family]
        return self._local


@lru_cache(maxsize=64)
def _is_link_local(host: str) -> bool:
    return ip_address(host).is_link_local
