"""The ports of passive data connections: which are opened, and for how long each may wait."""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ftpservice.accounts.defence.networks import address_group
from ftpservice.data.channel import CannotOpenDataConnection
from ftpservice.data.peer_policy import DataSettings
from ftpservice.wire.addresses import is_ipv6

__all__ = [
    "BACKLOG",
    "IdlePassivePorts",
    "NoPortFree",
    "OtherProcesses",
    "PassivePorts",
    "PortHolder",
    "SecureRandom",
    "ephemeral_ports",
    "listening_socket",
]

BACKLOG = 32
"""Connections that may wait at a port: one is the client's, the others come from other programs."""

STREAM_NONBLOCK = socket.SOCK_STREAM | socket.SOCK_NONBLOCK

KERNEL = Path("/proc/sys/net/ipv4")
DEFAULT_DYNAMIC_PORTS = range(49152, 65536)
"""The dynamic ports (RFC 6335 §6)."""
MAX_RANDOM_TRIES = 8
NO_CONNECTION_TEXT = "no connection to the passive port in time"
PORT_RECLAIMED_TEXT = "no connection to the passive port before another session needed it"


class NoPortFree(CannotOpenDataConnection):
    """Every port of the range is in use."""


def listening_socket(
    interface: str, port: int, keeps_alive: bool = True, backlog: int = BACKLOG
) -> socket.socket:
    """Listen on a port of a local IP address, 0 for any port; raises `OSError`.

    ``::`` stands for all addresses of IPv6, and for none of IPv4. Accepted sockets inherit
    TCP_NODELAY and, with ``keeps_alive``, SO_KEEPALIVE.
    """
    family = socket.AF_INET6 if is_ipv6(interface) else socket.AF_INET
    own = socket.socket(family, STREAM_NONBLOCK)
    try:
        own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        own.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if keeps_alive:
            own.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if interface == "::":
            own.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        own.bind((interface, port))
        own.listen(backlog)
    except BaseException:
        own.close()
        raise
    return own


def ephemeral_ports(kernel: Path = KERNEL) -> Sequence[int]:
    """Return the ports that the kernel assigns to sockets without a port."""
    try:
        first, last = map(int, (kernel / "ip_local_port_range").read_text().split())
        reserved_spans = (kernel / "ip_local_reserved_ports").read_text().strip()
        reserved = set[int]()
        for span in filter(None, reserved_spans.split(",")):
            lowest, _, highest = span.partition("-")
            reserved.update(range(int(lowest), int(highest or lowest) + 1))
    except (OSError, ValueError):
        return DEFAULT_DYNAMIC_PORTS
    ports = range(first, last + 1)
    return [port for port in ports if port not in reserved] if reserved else ports


class SecureRandom:
    """Unpredictable numbers, read from the kernel many at a time."""

    def __init__(self) -> None:
        self._numbers: list[int] = []

    def below(self, count: int) -> int:
        """Return a number from 0 to ``count`` - 1; ``count`` is small against 2 ** 32."""
        if not self._numbers:
            self._numbers.extend(struct.unpack("=256I", os.urandom(1024)))
        return self._numbers.pop() % count


class PassivePorts:
    """Opens listening ports for all sessions; random ones, so that they cannot be predicted.

    Without a range the ports are the kernel's, but asked for by number: asked for any port, the
    kernel searches among those that ended connections still occupy, which takes milliseconds when
    there are many.
    """

    def __init__(
        self,
        settings: DataSettings,
        listen: Callable[[str, int], socket.socket] | None = None,
        usual: Sequence[int] | None = None,
    ) -> None:
        span = settings.passive_ports
        self._range = None if span is None else range(span[0], span[1] + 1)
        self._usual = ephemeral_ports() if usual is None else usual
        self._random = SecureRandom()
        if listen is None:  # the stall timeout notices a lost peer long before SO_KEEPALIVE does
            listen = partial(listening_socket, keeps_alive=not settings.stall_timeout)
        self._listen = listen
        self._idle: IdlePassivePorts | None = None
        self.others: OtherProcesses | None = None
        """The processes that open ports of the same range; None: there are no others."""

    @property
    def has_range(self) -> bool:
        """Whether the ports are those of a range."""
        return self._range is not None

    def idle_ports(self, clock: IReactorTime) -> IdlePassivePorts:
        """Return the ports that wait for their client; one object for all sessions."""
        if self._idle is None:
            self._idle = IdlePassivePorts(clock)
        return self._idle

    def listen(self, interface: str) -> tuple[socket.socket, int]:
        """Listen on a free port: a random one of the range, or the next free one after it.

        Returns the port too, or 0 if the kernel has chosen it. Raises `NoPortFree`, or
        `CannotOpenDataConnection` for other causes.
        """
        if self._range is None:
            ports, tries = self._usual, MAX_RANDOM_TRIES if self._usual else 0
        else:
            ports, tries = self._range, len(self._range)
        index = self._random.below(len(ports)) if ports else 0
        for _ in range(tries):
            try:
                return self._listen(interface, ports[index]), ports[index]
            except OSError as error:
                _check_is_taken(error)
            is_random = self._range is None
            index = self._random.below(len(ports)) if is_random else (index + 1) % len(ports)
        if self._range is None:
            try:
                return self._listen(interface, 0), 0
            except OSError as error:
                _check_is_taken(error)
        raise NoPortFree("no port is free")


def _check_is_taken(error: OSError) -> None:
    """Raise `CannotOpenDataConnection` unless the port is taken."""
    if error.errno not in (errno.EADDRINUSE, errno.EACCES):
        raise CannotOpenDataConnection(f"cannot listen: {error.strerror}") from error


class PortHolder(Protocol):
    """A session that has announced a port."""

    def has_idle_port(self) -> bool:
        """Return whether it listens and no client has connected."""

    def close_idle_port(self, problem: str) -> None:
        """Stop listening, for this reason; a client that has connected is kept."""


class OtherProcesses(Protocol):
    """The processes with sessions that hold ports of the range, besides this one."""

    async def reclaim_port(self, own: IdlePassivePorts) -> bool:
        """Close the oldest port, here or elsewhere, of the address that holds most of all.

        Returns whether there was one.
        """


class IdlePassivePorts:
    """The passive ports that wait for their client, of all sessions, the oldest first.

    Each closes when no client has connected within its time. When all ports of the range are taken,
    the address that holds most loses its oldest one to the session that asks. One timer does for
    all.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._holders: dict[PortHolder, tuple[str, float]] = {}
        self._call: IDelayedCall | None = None

    def add(self, holder: PortHolder, address: str, timeout: float) -> None:
        """Add a session at ``address`` that listens for ``timeout`` seconds; 0 is no timeout."""
        self._holders.pop(holder, None)
        self._holders[holder] = address, self._clock.seconds() + timeout if timeout else 0.0
        if timeout and self._call is None:
            self._call = self._clock.callLater(timeout, self._expire)

    def discard(self, holder: PortHolder) -> None:
        """Remove a session; without any there is no timer."""
        self._holders.pop(holder, None)
        if self._call is not None and not self._holders:
            self._call.cancel()
            self._call = None

    def reclaim_port(self) -> bool:
        """Close the oldest port of the address that holds most; return whether there was one."""
        return any(self.close_oldest(address) for address, _ in self.counts().most_common(1))

    def counts(self) -> Counter[str]:
        """Return how many ports wait, by group of addresses (`address_group`)."""
        return Counter(
            address_group(address)
            for holder, (address, _) in self._holders.items()
            if holder.has_idle_port()
        )

    def close_oldest(self, group: str) -> bool:
        """Close the oldest port of a group of addresses; return whether there was one."""
        for holder, (address, _) in self._holders.items():
            if address_group(address) == group and holder.has_idle_port():
                self._close(holder, PORT_RECLAIMED_TEXT)
                return True
        return False

    def _close(self, holder: PortHolder, problem: str) -> None:
        self.discard(holder)
        holder.close_idle_port(problem)

    def _expire(self) -> None:
        self._call = None
        now = self._clock.seconds()
        for holder, (_, until) in tuple(self._holders.items()):
            if not until:
                continue
            if until > now:
                self._call = self._clock.callLater(until - now, self._expire)
                return
            self._close(holder, NO_CONNECTION_TEXT)
