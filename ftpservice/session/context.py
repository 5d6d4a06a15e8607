"""The state of a session, and the services that it shares with the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, NoReturn

from twisted.internet.task import deferLater

from ftpservice.accounts.account import IAccount
from ftpservice.accounts.defence.networks import address_group
from ftpservice.data.ascii_transfer import TextFormat
from ftpservice.data.connector import DataConnector
from ftpservice.events import (
    NO_SESSION,
    Event,
    Outcome,
    SessionClosed,
    SessionInfo,
    TransferEnded,
    TransferStarted,
)
from ftpservice.session.error_replies import ReplyError
from ftpservice.session.login import PortalLogin
from ftpservice.session.rate_limits import SessionRateLimits
from ftpservice.session.resume_offers import ReportedSize
from ftpservice.session.services import Services
from ftpservice.session.state import Phase
from ftpservice.session.tls_policy import ControlTLS, TLSState
from ftpservice.session.transfer import RunningTransfer
from ftpservice.storage.errors import Denied, NotSupported
from ftpservice.storage.interfaces import IStorage, IWriting
from ftpservice.storage.own_uploads import IOwnUploads
from ftpservice.storage.rights import Right
from ftpservice.stream.rate_limit import RateLimiters
from ftpservice.wire import codes
from ftpservice.wire.entry import Entry
from ftpservice.wire.facts import DEFAULT_FACTS
from ftpservice.wire.foreign_protocols import ForeignProtocolDetector
from ftpservice.wire.paths import ROOT, VirtualPath

__all__ = [
    "NOT_LOGGED_IN",
    "WHOLE_FILE",
    "NextTransfer",
    "SessionContext",
    "SessionEvents",
    "SessionPeer",
    "TransferParameters",
    "moved_of",
]


@dataclass(frozen=True, slots=True)
class SessionPeer:
    """The client of a session."""

    session: int
    """The session's number in this process."""
    host: str | None
    """Its IP address; ``None`` for a UNIX socket."""
    is_there: Callable[[], bool]
    """Returns whether the client holds its end of the control connection; asks the kernel."""
    protocol: str = "ftp"
    """``ftp``, ``simple`` or ``http``."""
    run_id: str = ""
    """Begins its id, which is unique over runs and machines."""
    id: str = field(init=False)
    """``RUN-SESSION``."""
    label: str = field(init=False)
    """The address, or "local", for events."""
    limit_key: str = field(init=False)
    """The key of the client in limits by address (`address_group`)."""

    def __post_init__(self) -> None:
        """Set what follows from the address."""
        label = self.host or "local"
        object.__setattr__(self, "id", f"{self.run_id}-{self.session}")
        object.__setattr__(self, "label", label)
        object.__setattr__(self, "limit_key", address_group(label))


class SessionEvents:
    """Publishes the events of a session."""

    __slots__ = (
        "_bytes_down",
        "_bytes_up",
        "_closed",
        "_ended",
        "_files_down",
        "_files_up",
        "_login",
        "_peer",
        "_services",
        "_since",
        "_tls",
        "_transfers",
        "info",
        "last_user",
    )

    def __init__(
        self, services: Services, peer: SessionPeer, login: PortalLogin, tls: TLSState
    ) -> None:
        self._services = services
        self._peer = peer
        self._login = login
        self._tls = tls
        self.info: SessionInfo | None = None
        """What the events share; that of the last login after the end of the session."""
        self.last_user = ""
        """The account of the last login, also after the logout."""
        self._since = services.clock.seconds()
        self._transfers = self._ended = 0
        self._closed: tuple[str, float] | None = None
        self._files_up = self._bytes_up = self._files_down = self._bytes_down = 0

    def publish(self, kind: type[Event], *details: Any, user: str | None = None) -> None:
        """Publish an event; ``user`` is the account's name by default."""
        if user is None:
            account = self._login.account
            user = account.name if account is not None else ""
        peer, services, info = self._peer, self._services, self.info
        if info is None or info.tls is not self._tls.description:
            source: Any = self._login.account or NO_SESSION
            tls, groups = self._tls.description, source.groups
            name_of, owner = source.storage_name, source.owner
            info = SessionInfo(peer.id, peer.protocol, tls, groups, name_of, owner)
            self.info = info
        event = kind(services.seconds(), peer.session, peer.label, user, *details, info=info)
        services.event_sink.events.publish(event)

    def begin_transfer(self, user: str, path: str, upload: bool, size: int | None) -> int:
        """Publish `TransferStarted`; return the number of the transfer."""
        self._transfers += 1
        self.publish(TransferStarted, path, upload, self._transfers, size, user=user)
        return self._transfers

    def end_transfer(self, user: str, *facts: Any) -> None:
        """Publish `TransferEnded` with ``facts`` after ``user``, and count it.

        The last one of a session that was closed meanwhile is followed by `SessionClosed`.
        """
        _path, upload, outcome, size = facts[:4]
        is_complete = outcome is Outcome.COMPLETE
        if upload:
            self._files_up += is_complete
            self._bytes_up += size
        else:
            self._files_down += is_complete
            self._bytes_down += size
        self.publish(TransferEnded, *facts, user=user)
        self._ended += 1
        self._publish_closed()

    def close(self, reason: str) -> None:
        """Publish `SessionClosed`, or have it published when the running transfer has ended."""
        self._closed = reason, self._services.clock.seconds() - self._since
        self._publish_closed()

    def _publish_closed(self) -> None:
        if self._closed is not None and self._ended == self._transfers:
            up, down = (self._files_up, self._bytes_up), (self._files_down, self._bytes_down)
            self.publish(SessionClosed, *self._closed, *up, *down, user=self.last_user)


@dataclass(slots=True)
class TransferParameters:
    """What the client chose for its transfers and listings (RFC 959 §4.1.2)."""

    ascii: bool = True
    records: bool = False
    facts: tuple[str, ...] = DEFAULT_FACTS
    hash_algorithm: str = "SHA-256"
    extended_only: bool = False
    """EPSV ALL was given (RFC 2428 §4)."""
    umask: int = 0o022


class NextTransfer(NamedTuple):
    """What REST, RANG and ALLO set for the next transfer command, which uses it up."""

    start: int = 0
    """Offset in bytes (REST, RANG)."""
    end: int | None = None
    """Offset of the byte after the last one (RANG)."""
    announced_size: int | None = None
    """Bytes (ALLO)."""


WHOLE_FILE = NextTransfer()
"""What holds where neither REST nor RANG nor ALLO was sent."""


class _NotLoggedIn:
    """Stands for the account and the storage of a session without a login."""

    def __getattr__(self, name: str) -> NoReturn:
        raise ReplyError(codes.NOT_LOGGED_IN, "Log in with USER and PASS.")


NOT_LOGGED_IN: Any = _NotLoggedIn()


@dataclass(slots=True)
class SessionContext:
    """One session as its commands see it."""

    services: Services
    peer: SessionPeer
    connector: DataConnector
    phase: Phase = Phase.GREETED
    portal_login: PortalLogin = field(default_factory=PortalLogin)
    account: IAccount = NOT_LOGGED_IN
    """The account; without a login each of its attributes raises the `ReplyError` of that."""
    storage: IStorage = NOT_LOGGED_IN
    """The account's files; the same holds."""
    own_uploads: IOwnUploads | None = None
    """The storage as `IOwnUploads`, if it is one."""
    requires_protected_data: bool = False
    """Whether plaintext data connections are refused, by the settings or the account."""
    has_rate_limits: bool = False
    """Whether the settings or the account limit the rate of any transfer."""
    user: str = ""
    """The name of the last USER."""
    directory: VirtualPath = ROOT
    """The working directory."""
    parameters: TransferParameters = field(default_factory=TransferParameters)
    next_transfer: NextTransfer = WHOLE_FILE
    rename_from: VirtualPath = ROOT
    reported_sizes: dict[VirtualPath, ReportedSize] = field(default_factory=dict)
    """What SIZE last replied for each path, the oldest first."""
    foreign_detector: ForeignProtocolDetector = field(default_factory=ForeignProtocolDetector)
    """What the client sent before its login."""
    failures: int = 0
    """Failed logins of this session."""
    running: RunningTransfer | None = None
    """The transfer in progress; of several at a time the last one that began."""
    transfers: Mapping[int, RunningTransfer] | None = None
    """Of a session that may have several at a time, those in progress by their number."""
    published_error: BaseException | None = None
    """The last error that an event has reported already."""
    tls_state: TLSState = field(default_factory=TLSState)
    rate_limits: SessionRateLimits | None = None
    """The rate limits; made for the first transfer that has one."""
    events: SessionEvents = field(init=False)
    """Publishes the events of the session."""

    def __post_init__(self) -> None:
        """Have data connections follow PROT, and apply the settings."""
        self.connector.protection, self.connector.session = self.tls_state, self.peer.session
        self.portal_login.client = self.peer
        self.events = SessionEvents(self.services, self.peer, self.portal_login, self.tls_state)
        services = self.services
        self.requires_protected_data = services.requires_protected_data
        self.has_rate_limits = services.has_rate_limits

    @property
    def offers_tls(self) -> bool:
        """Whether AUTH is accepted."""
        services = self.services
        return services.tls is not None and services.settings.tls.control is not ControlTLS.OFF

    def text_format(self) -> TextFormat | None:
        """Return how text is converted (TYPE A); None for bytes as they are (TYPE I)."""
        parameters = self.parameters
        return (
            TextFormat(parameters.records, self.services.time_budget) if parameters.ascii else None
        )

    def capability(self, interface: Any, right: Right, path: VirtualPath) -> Any:
        """Return the storage as an optional ``interface``; raises `Denied` and `NotSupported`."""
        found = interface(self.storage, None)
        if found is None:
            raise (NotSupported if right in self.account.rights else Denied)(path)
        return found

    def is_live(self) -> bool:
        """Return whether the session is logged in and its client connected; asks the kernel."""
        return self.portal_login.account is not None and self.peer.is_there()

    def upload_key(self, path: VirtualPath) -> tuple[str, VirtualPath]:
        """Return the key of an upload to ``path`` among those of all sessions."""
        return self.account.name, path

    def resolve(self, text: str | None) -> VirtualPath:
        """Return the path that an argument names; raises `BadPath`."""
        return self.directory if text is None else self.directory.joined(text)

    def refuse_plaintext_data(self) -> NoReturn:
        """Discard what was prepared for the next transfer, and raise `ReplyError` (521)."""
        self.take_next_transfer()
        self.connector.close()
        raise ReplyError(codes.CLEAR_DATA, "Data connections require TLS; send PROT P first.")

    def upload_committed(self, user: str, writing: IWriting, entry: Entry) -> str:
        """Record a committed upload of ``user``; returns its digest, "" if it is not known."""
        own, digests = self.own_uploads, self.services.digests
        if own is not None and self.account.name == user:
            own.remember(writing.path, entry)
        return digests.upload_committed(user, writing, entry) if digests.is_enabled else ""

    def take_next_transfer(self) -> NextTransfer:
        """Return what REST, RANG and ALLO have set, and reset it."""
        taken, self.next_transfer = self.next_transfer, WHOLE_FILE
        return taken

    def rate_limiters(self, upload: bool) -> RateLimiters | None:
        """Return the rate limits of a transfer; None if it has none."""
        if not self.has_rate_limits:
            return None
        if self.rate_limits is None:
            services = self.services
            self.rate_limits = SessionRateLimits(
                services.clock, services.settings, services.rate_limiters
            )
        return self.rate_limits.rate_limiters(self.account, upload)

    @property
    def moved(self) -> int:
        """Bytes of the transfer in progress so far; 0 without one."""
        return self.running.moved if self.running is not None else 0

    async def pause(self, seconds: float) -> None:
        """Wait."""
        await deferLater(self.services.clock, seconds)

    def begin_login(self, account: IAccount) -> None:
        """Decide what holds for all commands of this login."""
        self.account = account
        self.events.info, self.events.last_user = None, account.name
        self.connector.user = self.events.last_user
        self.storage = IStorage(account.storage)
        self.own_uploads = IOwnUploads(account.storage, None)
        self.directory = account.home
        self.failures = 0
        if account.umask is not None:
            self.parameters.umask = account.umask
        if account.ascii is not None:
            self.parameters.ascii = account.ascii
        self._apply_limits(account)

    def end_login(self) -> None:
        """Log out, and release what the login holds."""
        account = self.portal_login.account
        if account is not None and self.account is not NOT_LOGGED_IN:
            self.services.session_limits.release_user(
                account.name, self.peer.limit_key, self.peer.session
            )
        if self.rate_limits is not None:
            self.rate_limits.leave()
        if self.portal_login.avatar_logout is not None:
            self.portal_login.logout()
        self.connector.close()
        self.account = self.storage = NOT_LOGGED_IN
        self.own_uploads = None

    def forget_login(self) -> None:
        """Return to the state of a new session; TLS and failed logins stay (REIN, USER)."""
        self.end_login()
        self.events.info = None
        self._apply_limits(None)
        self.phase, self.user, self.directory = Phase.GREETED, "", ROOT
        self.next_transfer, self.reported_sizes = WHOLE_FILE, {}
        settings = self.services.settings
        self.parameters = TransferParameters(ascii=settings.ascii, umask=settings.umask)

    def _apply_limits(self, account: IAccount | None) -> None:
        services = self.services
        requires, has_limits = services.requires_protected_data, services.has_rate_limits
        if account is not None:
            requires = services.settings.tls.requires_data_tls(account.tls_required)
            has_limits = has_limits or bool(account.rate_up or account.rate_down)
        self.requires_protected_data, self.has_rate_limits = requires, has_limits


def moved_of(context: SessionContext, transfer: int) -> int:
    """Return the bytes so far of a transfer in progress, by its number in the session."""
    if context.transfers is None:
        return context.moved
    found = context.transfers.get(transfer)
    return 0 if found is None else found.moved
