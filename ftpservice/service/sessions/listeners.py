"""Binds all listeners before privileges are dropped, or reports why one cannot be bound."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint
from twisted.python.failure import Failure

from ftpservice.data.shared_port import CannotOpenSharedPort
from ftpservice.net.accepted_tcp import set_accepted_transport
from ftpservice.net.inherited_ports import InheritedEndpoint
from ftpservice.service.settings.errors import CannotStart, error_text

__all__ = [
    "LISTEN_OPTIONS",
    "Listener",
    "Listeners",
    "inherited_listener",
    "parse_listener",
    "refuse_same_ports",
]

PROXY_PREFIX = "haproxy:"
ENDPOINT_EXAMPLES = (
    "use tcp:2121, tcp6:2121, unix:/run/ftp.sock, systemd:domain=INET:index=0, haproxy:tcp:2121"
)
ERROR_ADVICE = {
    errno.EADDRINUSE: "stop the other program",
    errno.EACCES: "start as root with --uid for a port below 1024",
    errno.EADDRNOTAVAIL: "use an address of this machine",
    errno.ENOENT: "create its directory",
}
LISTEN_OPTIONS = ("listen", "implicit", "simple", "simple-tls", "http", "https")
FTP_OPTIONS = ("listen", "implicit")
TLS_OPTIONS = ("implicit", "simple-tls", "https")
SIMPLE_OPTIONS = ("simple", "simple-tls")
WEB_OPTIONS = ("http", "https")


@dataclass(frozen=True)
class Listener:
    """A parsed endpoint string."""

    text: str
    endpoint: IStreamServerEndpoint
    proxied: bool = False
    """Whether clients connect through a load balancer with the PROXY protocol."""
    option: str = "listen"
    """The option it was given with, which selects the protocol."""

    @property
    def implicit(self) -> bool:
        """Whether connections are encrypted from the first byte."""
        return self.option in TLS_OPTIONS

    @property
    def tcp_place(self) -> tuple[str, int] | None:
        """The interface and port of a TCP endpoint; None for other endpoints."""
        interface = getattr(self.endpoint, "_interface", None)
        port = getattr(self.endpoint, "_port", None)
        return None if interface is None or port is None else (interface, port)

    @property
    def simple(self) -> bool:
        """Whether the protocol is the simple one."""
        return self.option in SIMPLE_OPTIONS

    @property
    def web(self) -> bool:
        """Whether the protocol is HTTP."""
        return self.option in WEB_OPTIONS


def parse_listener(reactor: Any, text: str, option: str = "listen") -> Listener:
    """Parse an endpoint string, given with an option; raises `CannotStart`."""
    proxied = text.startswith(PROXY_PREFIX)
    try:
        endpoint = serverFromString(reactor, text.removeprefix(PROXY_PREFIX))
    except Exception as error:  # noqa: BLE001 - a plugin's parser may fail in any way
        is_missing = isinstance(error, LookupError) and "systemd:" in text
        reason = "systemd passed no such socket" if is_missing else error_text(error)
        raise CannotStart(
            f"--{option} {text} is not an endpoint ({reason}); {ENDPOINT_EXAMPLES}"
        ) from None
    return Listener(text, endpoint, proxied, option)


def inherited_listener(
    reactor: Any, text: str, option: str, descriptor: int, owns_file: bool
) -> Listener:
    """Return the listener of a socket that the program before this one has bound.

    ``owns_file``: the file of a UNIX socket is removed at the end.
    """
    with socket.socket(fileno=os.dup(descriptor)) as bound:
        family = int(bound.family)
    endpoint = InheritedEndpoint(descriptor, family, reactor, owns_file)
    return Listener(text, endpoint, text.startswith(PROXY_PREFIX), option)


def refuse_same_ports(listeners: Iterable[Listener]) -> None:
    """Raise `CannotStart` for two listeners at the same TCP port and address."""
    seen: dict[tuple[str, int], Listener] = {}
    for listener in listeners:
        place = listener.tcp_place
        if place is None or not place[1]:
            continue
        if place in seen:
            other = seen[place]
            raise CannotStart(
                f"--{listener.option} {listener.text}: --{other.option} {other.text} has the same "
                "address and port - choose another port"
            )
        seen[place] = listener


def refuse_passive_port(listeners: Iterable[Listener], port: int | None) -> None:
    """Raise `CannotStart` for a listener at the one port of all passive data connections."""
    for listener in listeners:
        place = listener.tcp_place
        if port is not None and place is not None and place[1] == port:
            raise CannotStart(
                f"--passive-port {port}: --{listener.option} {listener.text} has the same port - "
                "choose another port"
            )


class Listeners(Service):
    """Binds all listeners or none.

    ``factory_of`` returns the factory of a listener. ``check`` is called with each listener and
    its bound port, and may raise `CannotStart`. ``fail`` is called with one line if an endpoint
    that did not bind at once fails later.
    """

    def __init__(
        self,
        listeners: Sequence[Listener],
        factory_of: Callable[[Listener], IProtocolFactory],
        check: Callable[[Listener, IListeningPort], object],
        fail: Callable[[str], object],
    ) -> None:
        self.listeners = tuple(listeners)
        self._factory_of = factory_of
        self._check = check
        self._fail = fail
        self._binding: list[Deferred[None]] = []
        self._bound: dict[int, tuple[Listener, IListeningPort]] = {}

    @property
    def ports(self) -> list[IListeningPort]:
        """The bound ports, in the order of their listeners."""
        return [port for _, port in self.bound]

    @property
    def bound(self) -> list[tuple[Listener, IListeningPort]]:
        """The bound listeners and their ports, in order."""
        return [self._bound[number] for number in sorted(self._bound)]

    def privilegedStartService(self) -> None:
        """Bind all; raises `CannotStart`, with those already bound closed again."""
        try:
            for number, listener in enumerate(self.listeners):
                self._bind(number, listener)
        except CannotStart:
            self._close_all()
            raise

    def startService(self) -> None:
        """Bind all, unless `privilegedStartService` has done so."""
        if not self._binding:
            self.privilegedStartService()
        super().startService()

    def stopService(self) -> Deferred[Any]:
        """Close all; fires when every port is closed."""
        super().stopService()
        return self._close_all()

    def _bind(self, number: int, listener: Listener) -> None:
        failed_at_once: list[Failure] = []
        is_calling = True

        def bound(port: IListeningPort) -> None:
            self._bound[number] = (listener, port)
            if listener.option in FTP_OPTIONS:
                set_accepted_transport(port)
            self._check(listener, port)

        def failed(failure: Failure) -> None:
            if is_calling:
                failed_at_once.append(failure)
            elif not failure.check(CancelledError):
                self._fail(_error_line(listener, failure.value))

        binding = listener.endpoint.listen(self._factory_of(listener))
        self._binding.append(binding.addCallback(bound).addErrback(failed))
        is_calling = False
        if failed_at_once:
            raise CannotStart(_error_line(listener, failed_at_once[0].value)) from None

    def _close_all(self) -> Deferred[Any]:
        binding, self._binding = self._binding, []
        for one in binding:
            one.cancel()
        ports, self._bound = self.ports, {}
        return gatherResults([*binding, *(_closed(port) for port in ports)], consumeErrors=True)


def _closed(port: IListeningPort) -> Deferred[None]:
    async def close() -> None:
        closing = port.stopListening()
        if closing is not None:
            await closing

    return Deferred.fromCoroutine(close())


def _error_line(listener: Listener, error: BaseException | None) -> str:
    """Return why a listener cannot be bound, and what to do.

    ``make serve`` sets in the environment which of its variables selects another port.
    """
    if isinstance(error, CannotStart):
        return error.line
    cause = error.socketError if isinstance(error, CannotListenError) else error
    what, option = listener.text, listener.option
    if isinstance(error, CannotOpenSharedPort):
        what, option = f"--passive-port {error.port}", "passive-port"
    number = cause.errno if isinstance(cause, OSError) else None
    advice = [ERROR_ADVICE[number]] if number in ERROR_ADVICE else []
    other = os.environ.get(f"FTPSERVICE_ADVICE_{option.upper()}", f"--{option}")
    advice.append(f"choose another {other}")
    return f"cannot listen on {what}: {error_text(cause)} - {' or '.join(advice)}"
