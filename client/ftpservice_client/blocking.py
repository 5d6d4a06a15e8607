"""The client for scripts without a reactor of their own: each call returns its result.

    from ftpservice_client import blocking

    with blocking.connect("ftp://ann:secret@files.example/") as client:
        client.upload(Path("report.pdf"), "report.pdf")

The reactor runs in a daemon thread, from the first call to the end of the process. Calls may come
from any thread but the reactor's own. A call that is interrupted (Ctrl-C) is cancelled, like its
Deferred. In a program that runs the reactor by itself, calls from other threads use that reactor.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial, wraps
from pathlib import Path
from threading import Lock, Thread, main_thread
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, TypeVar

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.python.failure import Failure
from twisted.python.threadable import isInIOThread

from ftpservice_client.api.client import Client
from ftpservice_client.api.connect import connect as connect_deferred
from ftpservice_client.api.connect import connect_pool as connect_pool_deferred
from ftpservice_client.errors import ClientError
from ftpservice_client.results import MirrorResult
from ftpservice_client.settings import Settings
from ftpservice_client.urls import Destination

__all__ = ["BlockingClient", "connect", "connect_pool"]

T = TypeVar("T")
P = ParamSpec("P")

_starting = Lock()


def _running_reactor() -> Any:
    """Return the reactor; start it in a thread if it does not run."""
    from twisted.internet import reactor

    running: Any = reactor
    with _starting:
        if not running.running:
            started: Future[None] = Future()
            running.callWhenRunning(started.set_result, None)
            for target in (partial(running.run, installSignalHandlers=False), _stop_at_exit):
                Thread(target=target, name="ftpservice_client.blocking", daemon=True).start()
            started.result()
    return running


def _stop_at_exit() -> None:
    """Stop the reactor when the main thread ends: its pool of threads would keep the process."""
    main_thread().join()
    from twisted.internet import reactor

    running: Any = reactor
    running.callFromThread(running.stop)


def _result_of(function: Callable[[Any], Deferred[T]]) -> T:
    """Call ``function`` with the reactor, in its thread; return what its Deferred fires with."""
    reactor = _running_reactor()
    if isInIOThread():
        raise RuntimeError("a blocking call from the reactor's own thread would wait for itself")
    future: Future[T] = Future()
    begun: list[Deferred[T]] = []

    def begin() -> None:
        begun.append(maybeDeferred(function, reactor))
        begun[0].addCallbacks(future.set_result, fail)

    def fail(failure: Failure) -> None:
        future.set_exception(failure.value or RuntimeError(failure.getErrorMessage()))

    def cancel() -> None:
        if begun:
            begun[0].cancel()

    reactor.callFromThread(begin)
    try:
        return future.result()
    except BaseException:
        if not future.done():  # Ctrl-C
            reactor.callFromThread(cancel)
            with suppress(BaseException):
                future.result(timeout=1)  # what was opened is closed
        raise


def _blocking(
    method: Callable[Concatenate[Client, P], Deferred[T]],
) -> Callable[Concatenate[BlockingClient, P], T]:
    """Return the blocking version of a method of `Client`."""

    @wraps(method)
    def call(self: BlockingClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return _result_of(lambda _reactor: method(self.client, *args, **kwargs))

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
        _result_of(lambda _reactor: maybeDeferred(self.client.abort))

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
        if kind is None or issubclass(kind, Exception):
            self.quit()
        else:
            self.abort()  # Ctrl-C does not wait for the server


def connect(
    url: str | Destination, *, settings: Settings | None = None, timeout: float | None = None
) -> BlockingClient:
    """Connect, log in and change to the directory of a URL; see `ftpservice_client.connect`."""
    return BlockingClient(
        _result_of(
            lambda reactor: connect_deferred(
                url, reactor=reactor, settings=settings, timeout=timeout
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
        _result_of(
            lambda reactor: connect_pool_deferred(
                url, size, reactor=reactor, settings=settings, timeout=timeout
            )
        )
    )
