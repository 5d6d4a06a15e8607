"""The ports that passive data connections come in on."""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from twisted.internet.interfaces import IReactorTime

from ftpservice.data.channel import CannotOpenDataConnection
from ftpservice.data.idle_passive_ports import IdlePassivePorts
from ftpservice.data.peer_policy import DataSettings
from ftpservice.wire.addresses import is_ipv6

__all__ = [
    "BACKLOG",
    "NoPortFree",
    "PassivePorts",
    "SecureRandom",
    "ephemeral_ports",
    "listening_socket",
]

BACKLOG = 32
"""Connections that may wait on a port: of these one is wanted, the others are strangers'."""

KERNEL = Path("/proc/sys/net/ipv4")
DEFAULT_DYNAMIC_PORTS = range(49152, 65536)
"""The ports for such purposes (RFC 6335 §6)."""
MAX_RANDOM_TRIES = 8


class NoPortFree(CannotOpenDataConnection):
    """Every port of the range is in use."""


def listening_socket(interface: str, port: int) -> socket.socket:
    """Listen on a port of an IP address of ours, 0 for any; raises `OSError`."""
    own = socket.socket(socket.AF_INET6 if is_ipv6(interface) else socket.AF_INET)
    try:
        own.setblocking(False)
        own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        own.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as those it accepts have then
        own.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        own.bind((interface, port))
        own.listen(BACKLOG)
    except BaseException:
        own.close()
        raise
    return own


def ephemeral_ports(kernel: Path = KERNEL) -> Sequence[int]:
    """Return the ports that the kernel gives to who asks for any."""
    try:
        first, last = map(int, (kernel / "ip_local_port_range").read_text().split())
        reserved = (kernel / "ip_local_reserved_ports").read_text().strip()
        kept = set[int]()
        for span in filter(None, reserved.split(",")):
            least, _, most = span.partition("-")
            kept.update(range(int(least), int(most or least) + 1))
    except (OSError, ValueError):
        return DEFAULT_DYNAMIC_PORTS
    ports = range(first, last + 1)
    return [port for port in ports if port not in kept] if kept else ports


class SecureRandom:
    """Random numbers that nobody can foresee, fetched from the kernel many at a time."""

    def __init__(self) -> None:
        self._numbers: list[int] = []

    def below(self, count: int) -> int:
        """Return a number from 0 to ``count`` - 1; for counts that are small against 2 ** 32."""
        if not self._numbers:
            self._numbers.extend(struct.unpack("=256I", os.urandom(1024)))
        return self._numbers.pop() % count


class PassivePorts:
    """Opens listening ports for all sessions; random ones, so that a stranger cannot guess.

    Without a range they are the kernel's, but taken by number: asked for any port, it looks for one
    among those that ended connections still occupy, which costs milliseconds when there are many.
    """

    def __init__(
        self,
        settings: DataSettings,
        listen: Callable[[str, int], socket.socket] = listening_socket,
        usual: Sequence[int] | None = None,
    ) -> None:
        self._range = settings.passive_ports
        self._usual = ephemeral_ports() if usual is None else usual
        self._dice = SecureRandom()
        self._listen = listen
        self._unused: IdlePassivePorts | None = None

    def idle_ports(self, clock: IReactorTime) -> IdlePassivePorts:
        """Return who listens and waits for a client; made when it is first wanted."""
        if self._unused is None:
            self._unused = IdlePassivePorts(clock)
        return self._unused

    def listen(self, interface: str) -> socket.socket:
        """Listen on a free port.

        Raises `NoPortFree`, or `CannotOpenDataConnection` for other causes.
        """
        for port in self._candidates():
            try:
                return self._listen(interface, port)
            except OSError as error:
                if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                    raise CannotOpenDataConnection(f"cannot listen: {error.strerror}") from error
        raise NoPortFree("no port is free")

    def _candidates(self) -> Iterator[int]:
        """Yield the ports to try: the first one random, then its neighbours, round to it again."""
        if self._range is None:
            for _ in range(MAX_RANDOM_TRIES if self._usual else 0):
                yield self._usual[self._dice.below(len(self._usual))]
            yield 0
            return
        first, last = self._range
        size = last - first + 1
        start = self._dice.below(size)
        for step in range(size):
            yield first + (start + step) % size
