"""What PASV, EPSV, PORT and EPRT prepare for the next transfer of a session."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from typing import Any

from twisted.internet.task import deferLater

from ftpservice.concurrency.batched_checks import BatchedChecks
from ftpservice.data.active import ActiveChannel
from ftpservice.data.channel import DataChannel
from ftpservice.data.data_tls import PLAINTEXT_DATA, DataProtection
from ftpservice.data.listener import DataListener, PassiveListener
from ftpservice.data.masquerade import MasqueradeAddresses
from ftpservice.data.passive import PassiveChannel
from ftpservice.data.passive_ports import NoPortFree, PassivePorts
from ftpservice.data.peer_policy import DataSettings, PeerPolicy
from ftpservice.data.shared_port import SharedPort, SharedPortListener
from ftpservice.data.waiting_sessions import LATE_SECONDS, DataPeer
from ftpservice.wire.addresses import HostPort, canonical_host, is_ipv6

__all__ = ["ControlAddresses", "DataConnector", "PeerRefused", "WrongFamily"]

WILDCARD_ADDRESSES = {1: "0.0.0.0", 2: "::"}
"""The wildcard addresses, by network protocol (RFC 2428 §2)."""
LOOPBACK_ADDRESS = "127.0.0.1"
EPSV_RETRY_SECONDS = (0.99, 1.1)
"""curl (7.88) sleeps for about this long when the reply to EPSV arrives before it polls for it;
on one machine that happens with every file but the first."""
DEFAULT_TURN_SECONDS = 30.0
"""Time to wait for a turn at the shared port if there is no data timeout."""
NO_TURN_TEXT = "other sessions of this address wait for their connections to the passive port"
MAX_RECLAIMED = 3
"""Ports that are closed for one session, which others may take first."""
FIRST_DELAY_SECONDS, MAX_DELAY_SECONDS = 0.001, 0.008
"""Delay of the reply for such a client: doubled whenever it was not enough."""


class PeerRefused(Exception):
    """Data connections to that host or port are not allowed (`PeerPolicy`)."""


class WrongFamily(Exception):
    """The data connection must have the IP version of the control connection."""


@dataclass(frozen=True, slots=True)
class ControlAddresses:
    """The hosts of a control connection."""

    peer: str | None
    """``None`` for a UNIX socket, whose client is on this machine."""
    local: str
    proxied: bool = False
    """Whether both are from a PROXY header; ``local`` may then be an address of another host."""
    balancer: str = ""
    """The address that the PROXY header came from."""


class DataConnector:
    """Prepares one data connection at a time for one session."""

    protection: DataProtection = PLAINTEXT_DATA
    """Asked for the TLS of each data connection when it begins (PROT)."""
    shared_port: SharedPort | None = None
    """The port of all sessions' passive data connections; None: each has one of its own."""
    session = 0
    """The number of the session."""
    user = ""
    """The name of its account."""

    def __init__(
        self,
        reactor: Any,
        settings: DataSettings,
        ports: PassivePorts,
        masquerade: MasqueradeAddresses,
        ends: ControlAddresses,
    ) -> None:
        self._idle_ports = ports.idle_ports(reactor)
        self._checks = BatchedChecks.of(reactor)
        self._reactor = reactor
        self._settings = settings
        self._ports = ports
        self._masquerade = masquerade
        self._proxied = ends.proxied
        self._balancer = ends.balancer
        self._local = LOOPBACK_ADDRESS if ends.peer is None else canonical_host(ends.local)
        self._policy = PeerPolicy(ends.peer or LOOPBACK_ADDRESS)
        self.family = 2 if is_ipv6(self._policy.peer) else 1
        """The network protocol of the control connection: 1 for IPv4, 2 for IPv6 (RFC 2428)."""
        self._is_balancer = settings.is_balancer if settings.passive_proxied else None
        self._interface = (
            WILDCARD_ADDRESSES[self._listening_family()]
            if ends.proxied or _is_link_local(self._local)
            else self._local
        )
        """The address to listen on."""
        self._prepared: DataChannel | None = None
        self._shared: SharedPortListener | None = None
        """The share in the shared port; None for a port of its own."""
        self._expired: SharedPortListener | None = None
        """A share whose time was over, which the client does not know yet."""
        self._announced_at = 0.0
        self._delay = 0.0
        self._connects_early = False
        """Whether the client waits for TLS before its command; then it is accepted at once."""

    async def passive(self, extended: bool, family: int | None = None) -> HostPort:
        """Listen for the client and return what to announce; ``extended`` is EPSV.

        At the shared port it may have to wait for its turn. Raises `WrongFamily`, `NoPortFree`,
        `CannotOpenDataConnection`.
        """
        wanted = (family or self.family) if extended else 1
        if wanted != self.family:
            raise WrongFamily
        if self._prepared is not None:
            self.close()
        if self._delay:
            await deferLater(self._reactor, self._delay)
        host = self._local
        if not extended and self._masquerade.has_rules:
            host = await self._masquerade.address_for(self._policy.peer, self._local)
        reactor, settings, peer = self._reactor, self._settings, self._policy
        shared = await self._listen_at_shared_port() if self.shared_port is not None else None
        listener: PassiveListener | None = self.open_listener() if shared is None else shared
        if listener is None:
            listener = await self._reclaimed_listener()
        if self._prepared is not None:
            self.close()
        self._shared = shared
        channel = PassiveChannel(reactor, settings, peer, listener, self.protection)
        self._prepared = channel
        self._checks.add(reactor, channel.watch)  # most commands arrive before that
        self._idle_ports.add(self, peer.peer, settings.data_timeout)
        self._announced_at = reactor.seconds()
        if self._connects_early:
            channel.watch()
        return HostPort(host, listener.port)

    def open_listener(self) -> DataListener | None:
        """Listen on a free port, or on one that another session does not use.

        None if none is free, and that other session may be in another process. Raises `NoPortFree`,
        `CannotOpenDataConnection`.
        """
        try:
            own, port = self._ports.listen(self._interface)
        except NoPortFree:
            if self._ports.others is not None:
                return None
            if not self._idle_ports.reclaim_port():
                raise
            own, port = self._ports.listen(self._interface)
        return DataListener(self._reactor, own, port, self._is_balancer)

    async def _reclaimed_listener(self) -> DataListener:
        """Listen on a port that a session of whatever process does not use.

        Others may be faster to take it. Raises `NoPortFree`, `CannotOpenDataConnection`.
        """
        others = self._ports.others
        for _ in range(MAX_RECLAIMED):
            if others is None or not await others.reclaim_port(self._idle_ports):
                break
            listener = self.open_listener()
            if listener is not None:
                return listener
        raise NoPortFree("no port is free")

    def _listening_family(self) -> int:
        """Return the network protocol to listen with: a balancer may use another one than clients.

        The balancer of the control connection is expected to use the same for both.
        """
        if self._is_balancer is None or not self._is_balancer(self._balancer):
            return self.family
        return 2 if is_ipv6(self._balancer) else 1

    async def _listen_at_shared_port(self) -> SharedPortListener | None:
        """Return a share in the shared port; None for a port of the range instead.

        Raises `NoPortFree`.
        """
        assert self.shared_port is not None
        data_tls = self.protection.next_data_tls() if self.protection.data else None
        habit = None if data_tls is None else data_tls.session_reuse
        tls_session = b""
        if data_tls is not None and (
            self._settings.require_session_reuse or data_tls.session_reuse.is_reliable
        ):
            tls_session = data_tls.control_session_id()
        expected = DataPeer(self.session, self.user, self._policy.peer, self._balancer, tls_session)
        if self._ports.has_range:
            return await self.shared_port.open_listener(expected, habit, 0)
        timeout = (self._settings.data_timeout or DEFAULT_TURN_SECONDS) + 2 * LATE_SECONDS
        listener = await self.shared_port.open_listener(expected, habit, timeout)
        if listener is None:
            raise NoPortFree(NO_TURN_TEXT)
        return listener

    def has_idle_port(self) -> bool:
        """Return whether a port of its own is announced to which no client has connected."""
        prepared = self._prepared
        return (
            isinstance(prepared, PassiveChannel)
            and self._shared is None
            and prepared.check_unused()
        )

    def close_idle_port(self, problem: str) -> None:
        """Stop listening; a client that has connected is kept for its command."""
        prepared = self._prepared
        if isinstance(prepared, PassiveChannel):
            prepared.stop_listening(problem)
            if prepared.problem and self._shared is not None:
                self._expired = self._shared
                self._expired.lose_touch()

    def active(self, target: HostPort) -> None:
        """Remember where to connect; raises `WrongFamily`, `PeerRefused`.

        The wildcard address of IPv6, which lftp sends as its own, stands for the client.
        """
        if target.host == WILDCARD_ADDRESSES[2] and self.family == 2:
            target = HostPort(self._policy.peer, target.port)
        if (2 if is_ipv6(target.host) else 1) != self.family:
            raise WrongFamily
        if not self._policy.may_connect(target.host, target.port):
            raise PeerRefused
        local = None if self._proxied else self._local
        self.close()
        self._prepared = ActiveChannel(
            self._reactor, self._settings, target, local, self.protection
        )

    def take(self) -> DataChannel | None:
        """Return what was prepared, for the caller to close; every transfer needs a new one.

        None if nothing was prepared, or if PROT has changed since the client connected.
        """
        prepared, self._prepared = self._prepared, None
        if self._expired is not None:
            self._tell_expired()
        if prepared is None:
            return None
        if isinstance(prepared, PassiveChannel):
            self._idle_ports.discard(self)
            self._connects_early |= prepared.connected_early
            least, most = EPSV_RETRY_SECONDS
            if least < self._reactor.seconds() - self._announced_at < most:
                self._delay = min(max(FIRST_DELAY_SECONDS, 2 * self._delay), MAX_DELAY_SECONDS)
        if not prepared.matches_protection:
            prepared.close()
            return None
        return prepared

    def close(self) -> None:
        """Close what was prepared and not taken."""
        prepared, self._prepared = self._prepared, None
        if self._expired is not None:
            self._tell_expired()
        if prepared is not None:
            self._idle_ports.discard(self)
            prepared.close()

    def _tell_expired(self) -> None:
        """The client is told now that its time for the shared port was over."""
        expired, self._expired = self._expired, None
        if expired is not None:
            expired.hear_from()


@lru_cache(maxsize=64)
def _is_link_local(host: str) -> bool:
    return ip_address(host).is_link_local
