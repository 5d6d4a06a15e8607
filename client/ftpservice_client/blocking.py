"""The client for scripts without a reactor of their own: each call returns its result.

    from ftpservice_client import blocking

    with blocking.connect("ftp://ann:secret@files.example/") as client:
        client.upload(Path("report.pdf"), "report.pdf")

The reactor runs in a daemon thread, from the first call to the end of the process. Calls may come
from any thread but the reactor's own, in which callbacks such as ``progress`` are called. They
raise the errors of `ftpservice_client`, `twisted.internet.defer.CancelledError` if the process ends
meanwhile, and `RuntimeError` where they would never end: in the reactor's thread, in a process that
was forked after the first call, and when the reactor has stopped. Ctrl-C cancels the call, like its
Deferred. In a program that runs the reactor by itself, calls from other threads use that reactor.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from pathlib import Path
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, TypeVar

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.python.threadable import isInIOThread

from ftpservice.concurrency.reactor_thread import ReactorThread
from ftpservice_client.api import connect as deferred
from ftpservice_client.api.client import Client
from ftpservice_client.errors import ClientError
from ftpservice_client.results import MirrorResult
from ftpservice_client.settings import Settings
from ftpservice_client.urls import Destination

__all__ = [
    "BlockingClient",
    "BlockingPendingLogin",
    "connect",
    "connect_endpoint",
    "connect_pool",
    "connect_without_login",
]

T = TypeVar("T")
P = ParamSpec("P")

REACTOR_THREAD = ReactorThread.shared


def _blocking(
    method: Callable[Concatenate[Client, P], Deferred[T]],
) -> Callable[Concatenate[BlockingClient, P], T]:
    """Return the blocking version of a method of `Client`."""

    @wraps(method)
    def call(self: BlockingClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return REACTOR_THREAD.call(lambda _reactor: method(self.client, *args, **kwargs))

    return call


class BlockingClient:
    """`Client` with results instead of Deferreds; leaving a ``with`` block sends QUIT."""

    def __init__(self, client: Client) -> None:
        self.client = client
        """The client below; use it in the reactor's thread only."""

    @property
    def directory(self) -> str:
        """The current directory."""
        return self.client.directory

    @property
    def lost(self) -> ClientError | None:
        """Why the connection was lost, if it was."""
        return self.client.lost

    def abort(self) -> None:
        """Close the connection at once."""
        REACTOR_THREAD.call(lambda _reactor: maybeDeferred(self.client.abort))

    list = _blocking(Client.list)
    stat = _blocking(Client.stat)
    hash = _blocking(Client.hash)
    delete = _blocking(Client.delete)
    rename = _blocking(Client.rename)
    make_directory = _blocking(Client.make_directory)
    remove_directory = _blocking(Client.remove_directory)
    change_directory = _blocking(Client.change_directory)
    features = _blocking(Client.features)
    send = _blocking(Client.send)
    quit = _blocking(Client.quit)
    upload = _blocking(Client.upload)
    download = _blocking(Client.download)
    remove_tree = _blocking(Client.remove_tree)
    mirror = _blocking(Client.mirror)

    def upload_tree(self, source: Path, path: str = "", **options: Any) -> MirrorResult:
        """Upload the content of a local directory; for the options see `Client.mirror`."""
        return self.mirror(source, path, up=True, **options)

    def download_tree(self, path: str, to: Path, **options: Any) -> MirrorResult:
        """Download the content of a directory; for the options see `Client.mirror`."""
        return self.mirror(to, path, up=False, **options)

    def __enter__(self) -> BlockingClient:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        if isInIOThread():
            self.client.abort()  # a generator with a ``with`` block was collected in that thread
            return
        with suppress(RuntimeError):  # the reactor has stopped, and closed the connection
            if kind is None or issubclass(kind, Exception):
                self.quit()
            else:
                self.abort()  # Ctrl-C does not wait for the server


class BlockingPendingLogin:
    """A connection to an FTP server before the login; leaving a ``with`` block closes it.

    After `log_in` it belongs to the client, and neither `close` nor the end of the block closes it.
    """

    def __init__(self, pending: deferred.PendingLogin) -> None:
        self._pending = pending

    @property
    def destination(self) -> Destination:
        """The server."""
        return self._pending.destination

    @property
    def welcome(self) -> tuple[str, ...]:
        """The lines of the server's greeting."""
        return self._pending.welcome

    @property
    def is_secured(self) -> bool:
        """Whether the connection is encrypted."""
        return self._pending.is_secured

    def log_in(
        self, user: str, password: str | None, *, timeout: float | None = None
    ) -> BlockingClient:
        """Log in and change to the directory of the destination; raises what `connect` does.

        If the server has closed the connection meanwhile, a new one is made.
        """
        return BlockingClient(
            REACTOR_THREAD.call(
                lambda _reactor: self._pending.log_in(user, password, timeout=timeout)
            )
        )

    def close(self) -> None:
        """Close the connection, unless `log_in` was called."""
        REACTOR_THREAD.call(lambda _reactor: maybeDeferred(self._pending.close))

    def __enter__(self) -> BlockingPendingLogin:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        if isInIOThread():
            self._pending.close()  # collected in that thread, as in `BlockingClient`
            return
        with suppress(RuntimeError):
            self.close()


def connect(
    url: str | Destination, *, settings: Settings | None = None, timeout: float | None = None
) -> BlockingClient:
    """Connect, log in and change to the directory of a URL; see `ftpservice_client.connect`."""
    return BlockingClient(
        REACTOR_THREAD.call(
            lambda reactor: deferred.connect(
                url, reactor=reactor, settings=settings, timeout=timeout
            )
        )
    )


def connect_endpoint(
    make_endpoint: Callable[[Any], IStreamClientEndpoint],
    destination: str | Destination,
    *,
    settings: Settings | None = None,
    timeout: float | None = None,
) -> BlockingClient:
    """Connect through an endpoint of your own; see `ftpservice_client.connect_endpoint`.

    ``make_endpoint(reactor)`` is called once, in the reactor's thread, and returns the endpoint.
    """
    return BlockingClient(
        REACTOR_THREAD.call(
            lambda reactor: deferred.connect_endpoint(
                make_endpoint(reactor),
                destination,
                reactor=reactor,
                settings=settings,
                timeout=timeout,
            )
        )
    )


def connect_pool(
    url: str | Destination,
    size: int,
    *,
    settings: Settings | None = None,
    timeout: float | None = None,
) -> BlockingClient:
    """Return a client with up to ``size`` connections; see `ftpservice_client.connect_pool`.

    Calls from several threads use several connections.
    """
    return BlockingClient(
        REACTOR_THREAD.call(
            lambda reactor: deferred.connect_pool(
                url, size, reactor=reactor, settings=settings, timeout=timeout
            )
        )
    )


def connect_without_login(
    url: str | Destination, *, settings: Settings | None = None, timeout: float | None = None
) -> BlockingPendingLogin:
    """Connect and do not log in; see `ftpservice_client.connect_without_login`."""
    return BlockingPendingLogin(
        REACTOR_THREAD.call(
            lambda reactor: deferred.connect_without_login(
                url, reactor=reactor, settings=settings, timeout=timeout
            )
        )
    )
