"""FTP sessions without sockets: the factory on transports, clocks and storage in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.cred.checkers import AllowAnonymousAccess, ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import IRealm, Portal
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import ITCPTransport
from twisted.internet.testing import MemoryReactorClock, StringTransport
from zope.interface import implementer

from ftpservice.accounts.account import Account, IAccount
from ftpservice.backends.memory.storage import MemoryStorage
from ftpservice.control.factory import FTPFactory
from ftpservice.control.protocol import ControlProtocol
from ftpservice.events import Event, EventStream
from ftpservice.session.services import EventSink
from ftpservice.session.settings import SessionSettings
from ftpservice.session.shared.shared_state import ISharedState, LocalState
from ftpservice.storage.permissions import RestrictedStorage
from ftpservice.storage.rights import PRESETS, Right

__all__ = ["DialogueRealm", "DialogueTransport", "FTPDialogue"]


@implementer(ITCPTransport)
class DialogueTransport(StringTransport):
    """A memory transport with half-close; it records how it was closed."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        super().__init__(
            hostAddress=IPv4Address("TCP", "127.0.0.1", 2121),
            peerAddress=IPv4Address("TCP", host, 40000),
        )
        self.half_closed = False
        self.aborted = False

    def setTcpNoDelay(self, enabled: bool) -> None:
        self.no_delay = enabled

    def setTcpKeepAlive(self, enabled: bool) -> None:
        self.keep_alive = enabled

    def loseWriteConnection(self) -> None:
        self.half_closed = True

    def abortConnection(self) -> None:
        self.aborted = True
        self.disconnected = True

    @property
    def over(self) -> bool:
        """Whether the server has closed its side."""
        return self.half_closed or self.disconnecting or self.disconnected


@implementer(ICredentialsChecker)
class DialogueChecker:
    """Checks passwords in memory; records the credentials."""

    credentialInterfaces = (IUsernamePassword,)

    def __init__(self, passwords: dict[bytes, bytes]) -> None:
        self.passwords = passwords
        self.asked: list[Any] = []
        self.waiting: Deferred[None] | None = None

    def requestAvatarId(self, credentials: Any) -> Deferred[bytes]:
        self.asked.append(credentials)
        answer = self.waiting if self.waiting is not None else succeed(None)
        return answer.addCallback(lambda _: self._check(credentials))

    def _check(self, credentials: Any) -> bytes:
        if self.passwords.get(credentials.username) == credentials.password:
            return bytes(credentials.username)
        raise UnauthorizedLogin("no")


@implementer(IRealm)
class DialogueRealm:
    """Returns accounts with one memory storage; records the logouts."""

    def __init__(self, rights: frozenset[Right], storage: MemoryStorage) -> None:
        self.rights = rights
        self.storage = storage
        self.logouts: list[str] = []
        self.max_sessions: int | None = None
        self.tls_required = False
        self.ascii: bool | None = None
        self.umask: int | None = None

    def requestAvatar(self, avatar_id: Any, mind: object, *interfaces: Any) -> tuple[Any, Any, Any]:
        name = avatar_id.decode() if isinstance(avatar_id, bytes) else "anonymous"
        storage = RestrictedStorage(self.storage, self.rights)
        account = Account(
            name,
            storage,
            self.rights,
            max_sessions=self.max_sessions,
            tls_required=self.tls_required,
            umask=self.umask,
            ascii=self.ascii,
        )
        return IAccount, account, lambda: self.logouts.append(name)


def report(*words: str) -> list[str]:
    """Return the lines of REPORT, with what was asked for."""
    if words[0] == "never":
        raise ValueError("'never' is no time")
    asked = ", ".join(filter(None, words))
    return [f"all is well: {asked}" if asked else "all is well"]


class FTPDialogue:
    """A factory with one session."""

    def __init__(
        self,
        settings: SessionSettings | None = None,
        rights: frozenset[Right] = PRESETS["full"],
        host: str = "127.0.0.1",
        checkers: Sequence[ICredentialsChecker] = (),
    ) -> None:
        self.reactor = MemoryReactorClock()
        self.storage = MemoryStorage()
        self.realm = DialogueRealm(rights, self.storage)
        self.checker = DialogueChecker({b"ann": b"secret", b"bob": b"hidden"})
        portal = Portal(self.realm, checkers or [self.checker, AllowAnonymousAccess()])
        self.events: list[Event] = []
        stream = EventStream(lambda error, event: self.events.append(event))
        stream.subscribe(self.events.append)
        state, sink = self.shared_state(self.reactor), EventSink(stream, report)
        self.factory = FTPFactory(portal, self.reactor, settings, state, sink)
        self.protocol, self.transport = self.connect(host)

    def shared_state(self, clock: Any) -> ISharedState:
        """Return what the sessions count together."""
        return LocalState(clock)

    def connect(self, host: str = "127.0.0.1") -> tuple[ControlProtocol, DialogueTransport]:
        """Open another session."""
        transport = DialogueTransport(host)
        protocol = self.factory.buildProtocol(None)
        protocol.makeConnection(transport)
        return protocol, transport

    def replies(self) -> list[str]:
        """Return the reply lines since the last call."""
        text = self.transport.value().decode("utf-8", "surrogateescape")
        self.transport.clear()
        assert not text or text.endswith("\r\n")
        return text.split("\r\n")[:-1]

    def say(self, *commands: str) -> list[str]:
        """Send commands in one segment; return the reply lines."""
        data = "".join(f"{command}\r\n" for command in commands)
        self.protocol.dataReceived(data.encode("utf-8", "surrogateescape"))
        self.reactor.advance(0)
        return self.replies()

    def codes(self, *commands: str) -> list[int]:
        """Send commands; return the codes of the replies."""
        return [
            int(line[:3]) for line in self.say(*commands) if line[3:4] == " " and line[0] != " "
        ]

    def login(self, name: str = "ann", password: str = "secret") -> FTPDialogue:
        """Log in and drop earlier replies."""
        self.replies()
        assert self.codes(f"USER {name}", f"PASS {password}") == [331, 230]
        return self

    def lose(self, reason: Any) -> None:
        """Lose the connection."""
        self.protocol.connectionLost(reason)

    def of(self, kind: type[Event]) -> Sequence[Any]:
        """Return the events of a class."""
        return [event for event in self.events if isinstance(event, kind)]
