"""Services for tests: given accounts, files in memory; on a port of this machine, without files."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import quote

from twisted.cred.checkers import AllowAnonymousAccess, InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from zope.interface import implementer

from ftpservice.accounts.account import Account, IAccount
from ftpservice.backends.memory.storage import MemoryStorage
from ftpservice.concurrency.reactor_thread import ReactorThread
from ftpservice.control.factory import FTPFactory
from ftpservice.events import Event
from ftpservice.net.tls.server import ServerTLS
from ftpservice.session.settings import SessionSettings
from ftpservice.storage.permissions import RestrictedStorage
from ftpservice.storage.rights import PRESETS, Right
from ftpservice.testing.contract.case import create_file, read_file
from ftpservice.wire.paths import VirtualPath

__all__ = ["LoopbackService", "MemoryFiles", "SharedFilesRealm"]

T = TypeVar("T")
HOST = "127.0.0.1"
CLOSE_POLL_SECONDS = 0.005


@implementer(IRealm)
class SharedFilesRealm:
    """A realm whose accounts share the same files."""

    def __init__(self, storage: MemoryStorage, rights: frozenset[Right]) -> None:
        self._storage = storage
        self._rights = rights

    def requestAvatar(self, avatar_id: Any, _mind: object, *_interfaces: Any) -> tuple[Any, ...]:
        """Return an account."""
        is_anonymous = not isinstance(avatar_id, bytes)
        name = "anonymous" if is_anonymous else avatar_id.decode("utf-8", "surrogateescape")
        storage = RestrictedStorage(self._storage, self._rights)
        account = Account(name, storage, self._rights, anonymous=is_anonymous)
        return IAccount, account, lambda: None


class MemoryFiles:
    """Files in memory, and an FTP factory whose accounts share them; the base of test services."""

    factory_class = FTPFactory

    def __init__(self, accounts: Mapping[str, str], rights: str) -> None:
        self.storage = MemoryStorage()
        """The files: an `IStorage`."""
        if not isinstance(accounts, Mapping):
            raise TypeError(f"accounts is a mapping of passwords by user name, not {accounts!r}")
        for text in (*accounts, *accounts.values()):
            if not isinstance(text, str):
                raise TypeError(f"accounts has names and passwords as str, not {text!r}")
        self._accounts = dict(accounts)
        if rights not in PRESETS:
            raise ValueError(f"unknown rights {rights!r} (known: {', '.join(PRESETS)})")
        self._rights = PRESETS[rights]

    def _new_factory(self, reactor: Any, settings: SessionSettings | None) -> FTPFactory:
        checker = InMemoryUsernamePasswordDatabaseDontUse()
        for name, password in self._accounts.items():
            checker.addUser(name.encode(), password.encode())
        checkers = [checker] if self._accounts else [AllowAnonymousAccess()]
        realm = SharedFilesRealm(self.storage, self._rights)
        factory = self.factory_class(Portal(realm, checkers), reactor, settings)
        factory.allowAnonymous = not self._accounts
        return factory

    def write(self, path: str, content: bytes) -> None:
        """Create or replace a file; its directory must exist (see `make_directory`)."""
        self._run(create_file(self.storage, path, content))

    def read(self, path: str) -> bytes:
        """Return the content of a file; raises `ftpservice.storage.PathNotFound`."""
        return self._run(read_file(self.storage, path))

    def make_directory(self, path: str) -> None:
        """Create a directory; raises `ftpservice.storage.Exists`."""

        async def make() -> None:
            await self.storage.make_directory(VirtualPath.parse(path))

        self._run(make())

    def _run(self, work: Coroutine[Deferred[Any], Any, T]) -> T:
        """Return the result of a coroutine that does not wait, as those of this storage."""
        results: list[Any] = []
        Deferred.fromCoroutine(work).addBoth(results.append)
        if isinstance(results[0], Failure):
            results[0].raiseException()
        found: T = results[0]
        return found


class LoopbackService(MemoryFiles):
    """An FTP service for tests: accounts with files in memory, on a free port of 127.0.0.1.

    ``accounts`` are passwords by user name; without accounts, anonymous login is allowed.
    ``rights`` are those of all accounts: ``full``, ``read``, ``upload-only`` or ``read-append``.
    With ``tls`` clients may encrypt (AUTH TLS, RFC 4217).

    In a ``with`` block the service runs in a thread, for tests that block::

        with LoopbackService({"ann": "secret"}) as service:
            service.write("/report.csv", b"1,2")
            subprocess.run(["curl", "-O", service.url() + "report.csv"], check=True)
            assert [event.path for event in service.events_of(TransferEnded)] == ["/report.csv"]

    Tests that run the reactor (trial) await `start` and `stop` instead.
    """

    def __init__(
        self,
        accounts: Mapping[str, str] | None = None,
        rights: str = "full",
        settings: SessionSettings | None = None,
        *,
        tls: ServerTLS | None = None,
    ) -> None:
        super().__init__({} if accounts is None else accounts, rights)
        if settings is not None and not isinstance(settings, SessionSettings):
            raise TypeError(f"settings is a SessionSettings, not {settings!r}")
        if tls is not None and not isinstance(tls, ServerTLS):
            raise TypeError(f"tls is a ServerTLS (ServerTLS.load returns one), not {tls!r}")
        self._settings = settings
        self._tls = tls
        self._listening: Any = None
        self._is_in_thread = False
        self.factory: FTPFactory | None = None
        """The `ftpservice.api.FTPFactory`, from `start` on."""
        self.events: list[Event] = []
        """What has happened, oldest first (see `ftpservice.events`)."""

    @property
    def port(self) -> int:
        """The port of the control connection; `RuntimeError` before `start` and after `stop`."""
        if self._listening is None:
            raise RuntimeError("the service has not been started")
        number: int = self._listening.getHost().port
        return number

    def url(self, user: str | None = None) -> str:
        """Return ``ftp://USER:PASSWORD@127.0.0.1:PORT/``; by default of the first account."""
        if user is None and not self._accounts:
            return f"ftp://{HOST}:{self.port}/"
        name = next(iter(self._accounts)) if user is None else user
        password = quote(self._accounts[name], safe="")
        return f"ftp://{quote(name, safe='')}:{password}@{HOST}:{self.port}/"

    def events_of(self, *kinds: type[Event]) -> list[Event]:
        """Return the events of certain classes, oldest first."""
        return [event for event in self.events if isinstance(event, kinds)]

    async def start(self, reactor: Any) -> None:
        """Listen; raises `RuntimeError` if it listens already."""
        if self._listening is not None:
            raise RuntimeError("the service has been started already")
        self.factory = self._new_factory(reactor, self._settings)
        self.factory.tls = self._tls
        self.factory.event_sink.events.subscribe(self.events.append)
        self._listening = reactor.listenTCP(0, self.factory, interface=HOST)

    async def stop(self) -> None:
        """Stop listening and abort the sessions; returns when all are closed. May be repeated."""
        listening, self._listening = self._listening, None
        if listening is None or self.factory is None:
            return
        await maybeDeferred(listening.stopListening)
        self.factory.abort_all()
        while self.factory.instances:
            await deferLater(self.factory.reactor, CLOSE_POLL_SECONDS)
        await self.factory.release_resources()

    def __enter__(self) -> LoopbackService:
        ReactorThread.shared.call(self.start)
        self._is_in_thread = True
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._is_in_thread = False
        ReactorThread.shared.call(lambda _reactor: self.stop())

    def _run(self, work: Coroutine[Deferred[Any], Any, T]) -> T:
        if self._is_in_thread:
            return ReactorThread.shared.call(lambda _reactor: work)
        return super()._run(work)
