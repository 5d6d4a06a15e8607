"""Binds every ``--listen`` at once, before privileges are given up, or says why it cannot."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint
from twisted.python.failure import Failure

from ftpservice.service.settings.errors import CannotStart, error_text

__all__ = ["LISTEN_OPTIONS", "Listener", "Listeners", "parse_listener"]

PROXY_PREFIX = "haproxy:"
ENDPOINT_HELP = (
    "write tcp:2121, tcp6:2121, unix:/run/ftp.sock, systemd:domain=INET:index=0, haproxy:tcp:2121"
)
ERROR_ADVICE = {
    errno.EADDRINUSE: "stop the other program",
    errno.EACCES: "ports below 1024 are for root (see --uid of twistd)",
    errno.EADDRNOTAVAIL: "take an address of this machine",
    errno.ENOENT: "make its directory",
}


LISTEN_OPTIONS = ("listen", "implicit", "simple", "simple-tls")
TLS_OPTIONS = ("implicit", "simple-tls")
SIMPLE_OPTIONS = ("simple", "simple-tls")


@dataclass(frozen=True)
class Listener:
    """One place to listen on, read."""

    text: str
    endpoint: IStreamServerEndpoint
    proxied: bool = False
    """Whether clients come through a balancer that speaks the PROXY protocol."""
    option: str = "listen"
    """What it was given with: it says which protocol is spoken there."""

    @property
    def implicit(self) -> bool:
        """Whether TLS comes first."""
        return self.option in TLS_OPTIONS

    @property
    def simple(self) -> bool:
        """Whether the simple protocol is spoken."""
        return self.option in SIMPLE_OPTIONS


def parse_listener(reactor: Any, text: str, name: str = "listen") -> Listener:
    """Read an endpoint string, given with the option ``name``; raises `CannotStart`."""
    option = f"--{name} {text}"
    proxied = text.startswith(PROXY_PREFIX)
    try:
        endpoint = serverFromString(reactor, text.removeprefix(PROXY_PREFIX))
    except Exception as error:  # noqa: BLE001 - a plugin's parser may fail in any way
        adopting = isinstance(error, LookupError) and "systemd:" in text
        reason = "systemd handed over no such socket" if adopting else error_text(error)
        raise CannotStart(
            f"{option} is no place to listen on ({reason}); {ENDPOINT_HELP}"
        ) from None
    return Listener(text, endpoint, proxied, name)


class Listeners(Service):
    """Listens on all its places or on none.

    ``factory_of`` gives the factory for a place. ``check`` is called with each place when it is
    bound and may raise `CannotStart`. ``fail`` is told the line if a place that takes its time
    cannot be had in the end.
    """

    def __init__(
        self,
        places: Sequence[Listener],
        factory_of: Callable[[Listener], IProtocolFactory],
        check: Callable[[Listener, IListeningPort], object],
        fail: Callable[[str], object],
    ) -> None:
        self.places = tuple(places)
        self._factory_of = factory_of
        self._check = check
        self._fail = fail
        self._waiting: list[Deferred[None]] = []
        self._bound: dict[int, tuple[Listener, IListeningPort]] = {}

    @property
    def ports(self) -> list[IListeningPort]:
        """The ports that are bound, in the order of their places."""
        return [port for _, port in self.bound]

    @property
    def bound(self) -> list[tuple[Listener, IListeningPort]]:
        """The places that are bound, with their ports, in order."""
        return [self._bound[number] for number in sorted(self._bound)]

    def privilegedStartService(self) -> None:
        """Bind everything; raises `CannotStart`, after letting go of what was bound."""
        try:
            for number, place in enumerate(self.places):
                self._bind(number, place)
        except CannotStart:
            self._let_go()
            raise

    def startService(self) -> None:
        """Bind, unless that is done."""
        if not self._waiting:
            self.privilegedStartService()
        super().startService()

    def stopService(self) -> Deferred[Any]:
        """Stop listening; fires when nothing listens any more."""
        super().stopService()
        return self._let_go()

    def _bind(self, number: int, place: Listener) -> None:
        now: list[Failure] = []
        calling = True

        def bound(port: IListeningPort) -> None:
            self._bound[number] = (place, port)
            self._check(place, port)

        def failed(failure: Failure) -> None:
            if calling:
                now.append(failure)
            elif not failure.check(CancelledError):
                self._fail(_line(place, failure.value))

        waiting = place.endpoint.listen(self._factory_of(place))
        self._waiting.append(waiting.addCallback(bound).addErrback(failed))
        calling = False
        if now:
            raise CannotStart(_line(place, now[0].value)) from None

    def _let_go(self) -> Deferred[Any]:
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            one.cancel()
        ports, self._bound = self.ports, {}
        return gatherResults([*waiting, *(_closed(port) for port in ports)], consumeErrors=True)


def _closed(port: IListeningPort) -> Deferred[None]:
    async def closed() -> None:
        ended = port.stopListening()
        if ended is not None:
            await ended

    return Deferred.fromCoroutine(closed())


def _line(place: Listener, error: BaseException | None) -> str:
    """Return why a place cannot be listened on, and what to do.

    ``make serve`` says in the environment by which of its variables another port is chosen.
    """
    if isinstance(error, CannotStart):
        return error.line
    cause = error.socketError if isinstance(error, CannotListenError) else error
    number = cause.errno if isinstance(cause, OSError) else None
    advice = [ERROR_ADVICE[number]] if number in ERROR_ADVICE else []
    another = os.environ.get(f"FTPSERVICE_ADVICE_{place.option.upper()}", f"--{place.option}")
    told = " or ".join([*advice, f"choose another {another}"])
    return f"cannot listen on {place.text}: {error_text(cause)} - {told}"
