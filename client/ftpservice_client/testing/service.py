"""For tests of programs that use the client: the real service in memory, without sockets.

The only module of the client that imports the server. Everything is as over a network, except for
TLS, the kernel and the waiting: nothing moves before `MemoryService.result`, `settle` or
`pass_time` is called, and then always in the same order.

    service = MemoryService({"ann": "secret"})
    client = service.result(service.connect("ftp://ann:secret@server/"))
    service.faults.data(Fault(reset_after=1000))
    service.failure(client.download("report.pdf"), NetworkError)
"""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.python.failure import Failure

from ftpservice.control.factory import FTPFactory
from ftpservice.data.connector import DataConnector
from ftpservice.data.listener import DataListener
from ftpservice.session.settings import SessionSettings
from ftpservice.simple.factory import SimpleFactory
from ftpservice.testing.service import MemoryFiles
from ftpservice.wire.units import seconds_text
from ftpservice_client.api.client import Client
from ftpservice_client.api.connect import connect, connect_pool
from ftpservice_client.settings import Settings
from ftpservice_client.testing.faults import Fault, Faults
from ftpservice_client.testing.network import MemoryNetwork
from ftpservice_client.urls import Destination, parse_url

__all__ = ["Fault", "MemoryNetwork", "MemoryService"]

T = TypeVar("T")
E = TypeVar("E", bound=BaseException)
FTP_PORT, SIMPLE_PORT = 21, 1452


class MemoryDataListener(DataListener):
    """A listening port of the network, for one data connection."""

    def __init__(self, network: MemoryNetwork) -> None:
        self.accept_peer = None
        self._network = network
        self.port = network.listen(self._accept)

    def _accept(self, peer: IPv4Address) -> Any:
        return self.accept_peer(peer.host) if self.accept_peer is not None else None

    @property
    def is_open(self) -> bool:
        """Whether connections are accepted."""
        return self.port > 0

    def watch(self) -> None:
        """Do nothing: connections are accepted, or closed, as soon as they are made."""

    def accept_pending(self, most: int = 0) -> None:
        """Do nothing: no connection waits."""

    def close(self) -> None:
        """Stop listening."""
        self.close_now()

    def close_now(self) -> None:
        """Stop listening."""
        self._network.close(self.port)


class MemoryDataConnector(DataConnector):
    """Prepares data connections in memory."""

    def open_listener(self) -> DataListener:
        """Return a new listener."""
        return MemoryDataListener(self._reactor)


class MemoryFTPFactory(FTPFactory):
    """Makes FTP sessions whose data connections are in memory."""

    connector = MemoryDataConnector


class MemoryService(MemoryFiles):
    """A service on a network of its own: FTP on port 21, the simple protocol on 1452.

    ``accounts`` are passwords by user name; without accounts, anonymous login is allowed.
    ``rights`` are those of all accounts: ``full``, ``read``, ``upload-only`` or ``read-append``.
    """

    factory_class = MemoryFTPFactory

    def __init__(
        self,
        accounts: Mapping[str, str] | None = None,
        rights: str = "full",
        settings: SessionSettings | None = None,
    ) -> None:
        super().__init__({} if accounts is None else accounts, rights)
        self.network = MemoryNetwork()
        """To be passed as the reactor."""
        factory = self._new_factory(self.network, settings)
        self.factory = factory
        simple = SimpleFactory(factory)
        self.network.listen(factory.buildProtocol, FTP_PORT)
        self.network.listen(simple.buildProtocol, SIMPLE_PORT)

    @property
    def faults(self) -> Faults:
        """The faults of the next connections."""
        return self.network.faults

    def connect(self, url: str, settings: Settings | None = None) -> Deferred[Client]:
        """Connect a client; the host in the URL is ignored."""
        given = settings or Settings(netrc=None)
        return connect(_local_destination(url), reactor=self.network, settings=given)

    def connect_pool(
        self, url: str, size: int, settings: Settings | None = None
    ) -> Deferred[Client]:
        """Connect a client with up to ``size`` connections; the host in the URL is ignored."""
        given = settings or Settings(netrc=None)
        return connect_pool(_local_destination(url), size, reactor=self.network, settings=given)

    def settle(self) -> None:
        """Run everything that is due now, until nothing is."""
        self.network.settle()

    def pass_time(self, seconds: float) -> None:
        """Advance the clock, and run everything that is due by then."""
        self.network.pass_time(seconds)

    def result(
        self, deferred: Deferred[T] | Coroutine[Deferred[Any], Any, T], seconds: float = 0.0
    ) -> T:
        """Advance the clock by ``seconds``, and return the result of a call; raises its error."""
        results: list[Any] = []
        ensureDeferred(deferred).addBoth(results.append)
        self.network.pass_time(seconds)
        assert results, f"no result after {seconds_text(seconds)}"
        if isinstance(results[0], Failure):
            results[0].raiseException()
        found: T = results[0]
        return found

    def failure(
        self,
        deferred: Deferred[Any] | Coroutine[Deferred[Any], Any, Any],
        kind: type[E],
        seconds: float = 0.0,
    ) -> E:
        """Advance the clock by ``seconds``; return the error of a call, a ``kind``."""
        try:
            result = self.result(deferred, seconds)
        except kind as error:
            return error
        raise AssertionError(f"the call did not fail, but returned {result!r}")


def _local_destination(url: str) -> Destination:
    """Return the destination of a URL, with the host replaced by an address."""
    return replace(parse_url(url), host="127.0.0.1")
