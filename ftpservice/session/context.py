"""What a command is given: the session's memory and the services around it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from twisted.cred.portal import Portal
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from ftpservice.accounts.account import IAccount
from ftpservice.accounts.login_attempts import LoginAttempts
from ftpservice.accounts.networks import address_group
from ftpservice.concurrency.time_budget import TimeBudget
from ftpservice.data.connector import DataConnector
from ftpservice.events import Event, EventStream
from ftpservice.net.tls.server import ServerTLS
from ftpservice.session.active_uploads import ActiveUploads
from ftpservice.session.error_replies import ReplyError
from ftpservice.session.login import PortalLogin
from ftpservice.session.rate_limits import SessionRateLimits
from ftpservice.session.resume_offers import ReportedSize, ResumeOffers
from ftpservice.session.session_limits import SessionLimits
from ftpservice.session.settings import SessionSettings
from ftpservice.session.state import Phase
from ftpservice.session.tls_policy import ControlTLS, TLSState
from ftpservice.session.transfer import Transfer
from ftpservice.session.upload_digests import UploadDigests
from ftpservice.storage.errors import Denied, NotSupported
from ftpservice.storage.interfaces import IStorage, IWriting
from ftpservice.storage.own_uploads import IOwnUploads
from ftpservice.storage.rights import Right
from ftpservice.stream.rate_limit import RateLimiters, SharedRateLimiters
from ftpservice.wire import codes
from ftpservice.wire.entry import Entry
from ftpservice.wire.facts import DEFAULT_FACTS
from ftpservice.wire.foreign_protocols import ForeignProtocolDetector
from ftpservice.wire.paths import ROOT, VirtualPath

__all__ = [
    "DataRepresentation",
    "EventSink",
    "NextTransfer",
    "Services",
    "SessionContext",
    "SessionPeer",
    "TransferParameters",
]


def _nothing_to_report() -> list[str]:
    return ["Nobody keeps a report."]


@dataclass(frozen=True)
class EventSink:
    """Where a session tells what happens, and where REPORT reads what has happened."""

    events: EventStream
    report: Callable[[], list[str]] = _nothing_to_report
    """Returns the lines of REPORT."""


@dataclass(frozen=True)
class Services:
    """What all sessions of a factory share."""

    portal: Portal
    clock: IReactorTime
    seconds: Callable[[], float]
    """The time since the epoch."""
    settings: SessionSettings
    activity: EventSink
    login_attempts: LoginAttempts
    session_limits: SessionLimits
    rate_limiters: SharedRateLimiters
    digests: UploadDigests
    turns: TimeBudget
    """What commands share the reactor's time with."""
    resume_offers: ResumeOffers
    """Which sessions are told of interrupted uploads."""
    uploads: ActiveUploads = field(default_factory=ActiveUploads)
    """What is being uploaded."""
    user_anonymous: str = "anonymous"
    tls: ServerTLS | None = None
    """What connections are secured with, if they can be."""


@dataclass(frozen=True, slots=True)
class SessionPeer:
    """The client of a session."""

    session: int
    """The session's number in this process."""
    host: str | None
    """Its IP address; ``None`` for a UNIX socket."""
    is_there: Callable[[], bool]
    """Whether the control connection still stands; asks the kernel."""

    @property
    def label(self) -> str:
        """The address, or what stands for it in events."""
        return self.host or "local"

    @property
    def limit_key(self) -> str:
        """What limits by address count the client under (`address_group`)."""
        return address_group(self.label)


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


@dataclass(frozen=True)
class DataRepresentation:
    """How a text file is represented on the wire (TYPE A, STRU)."""

    records: bool
    turns: TimeBudget
    """Among whose work text is converted."""


@dataclass(frozen=True, slots=True)
class NextTransfer:
    """What REST, RANG and ALLO have set for the next transfer."""

    start: int = 0
    """REST or RANG, in bytes."""
    end: int | None = None
    """RANG: the byte behind the last one wanted."""
    announced: int | None = None
    """ALLO, in bytes."""


DEFAULT_TRANSFER = NextTransfer()


@dataclass(slots=True)
class SessionContext:
    """One session as its commands see it."""

    services: Services
    peer: SessionPeer
    connector: DataConnector
    phase: Phase = Phase.GREETED
    portal_login: PortalLogin = field(default_factory=PortalLogin)
    user: str = ""
    """The name of the last USER."""
    directory: VirtualPath = ROOT
    parameters: TransferParameters = field(default_factory=TransferParameters)
    marks: NextTransfer = DEFAULT_TRANSFER
    rename_from: VirtualPath = ROOT
    reported_sizes: dict[VirtualPath, ReportedSize] = field(default_factory=dict)
    """The sizes that SIZE last told of, in the order in which they were told."""
    foreign_detector: ForeignProtocolDetector = field(default_factory=ForeignProtocolDetector)
    """What the client said before its login."""
    failures: int = 0
    """Failed logins of this session."""
    running: Transfer | None = None
    """The transfer in progress."""
    told: BaseException | None = None
    """The last problem that an event has told of already."""
    tls_state: TLSState = field(default_factory=TLSState)
    """What is under TLS."""
    rate_limits: SessionRateLimits | None = None
    """The limits of speed; made for the first transfer."""

    def __post_init__(self) -> None:
        """Have data connections follow PROT."""
        self.connector.data_tls = self.tls_state.next_data_tls

    @property
    def secured(self) -> bool:
        """Whether the control connection is under TLS."""
        return self.tls_state.control

    @property
    def offers_tls(self) -> bool:
        """Whether AUTH would be heard."""
        services = self.services
        return services.tls is not None and services.settings.tls.control is not ControlTLS.OFF

    @property
    def requires_protected_data(self) -> bool:
        """Whether data connections in clear are refused."""
        account = self.portal_login.account
        by_account = account is not None and account.tls_required
        return self.services.settings.tls.requires_data_tls(by_account)

    @property
    def account(self) -> IAccount:
        """The account; only for commands whose row asks for a login."""
        account = self.portal_login.account
        if account is None:
            raise ReplyError(codes.NOT_LOGGED_IN, "Log in with USER and PASS.")
        return account

    @property
    def storage(self) -> IStorage:
        """The account's files."""
        return IStorage(self.account.storage)

    @property
    def representation(self) -> DataRepresentation:
        """How the next text file is represented."""
        return DataRepresentation(self.parameters.records, self.services.turns)

    def capability(self, interface: Any, right: Right, path: VirtualPath) -> Any:
        """Return the storage as an optional ``interface``; raises `Denied` and `NotSupported`."""
        found = interface(self.storage, None)
        if found is None:
            raise (NotSupported if right in self.account.rights else Denied)(path)
        return found

    def is_live(self) -> bool:
        """Tell whether somebody is logged in and holds the control connection; asks the kernel."""
        return self.portal_login.account is not None and self.peer.is_there()

    def upload_key(self, path: VirtualPath) -> tuple[str, VirtualPath]:
        """Return what an upload to ``path`` is known by to all sessions of the account."""
        return self.account.name, path

    def resolve(self, text: str | None) -> VirtualPath:
        """Return the path that an argument names from here; raises `BadPath`."""
        return self.directory if text is None else self.directory.joined(text)

    def require_protected_data(self) -> None:
        """Raise `ReplyError` where data lacks the TLS it should have.

        And drop what was prepared.
        """
        if self.requires_protected_data and not self.tls_state.data:
            self.take_next_transfer()
            self.connector.close()
            raise ReplyError(codes.CLEAR_DATA, "Data has to go under TLS: say PROT P first.")

    def upload_committed(self, user: str, writing: IWriting, entry: Entry) -> str:
        """Tell who wants to know of a committed upload; returns its digest, if that is known."""
        account = self.portal_login.account
        if account is not None and account.name == user:
            own = IOwnUploads(account.storage, None)
            if own is not None:
                own.remember(writing.path, entry)
        return self.services.digests.upload_committed(user, writing, entry)

    def take_next_transfer(self) -> NextTransfer:
        """Return what REST, RANG and ALLO have set for the next transfer, and reset it."""
        marks, self.marks = self.marks, DEFAULT_TRANSFER
        return marks

    def rate_limiters(self, upload: bool) -> RateLimiters | None:
        """Return the limits that a transfer has to keep to; None if there are none."""
        if self.rate_limits is None:
            services = self.services
            self.rate_limits = SessionRateLimits(
                services.clock, services.settings, services.rate_limiters
            )
        return self.rate_limits.rate_limiters(self.account, upload)

    def publish(self, kind: type[Event], *details: Any, user: str | None = None) -> None:
        """Tell the world of an event of this session."""
        account = self.portal_login.account
        name = user if user is not None else (account.name if account is not None else "")
        when = self.services.seconds()
        self.services.activity.events.publish(
            kind(when, self.peer.session, self.peer.label, name, *details)
        )

    async def pause(self, seconds: float) -> None:
        """Let time pass."""
        await deferLater(self.services.clock, seconds)

    def forget_login(self) -> None:
        """Go back to how a session begins, the connection and its failures left (REIN, USER)."""
        account = self.portal_login.account
        if account is not None:
            self.services.session_limits.release_user(
                account.name, self.peer.limit_key, self.peer.session
            )
        if self.rate_limits is not None:
            self.rate_limits.leave()
        self.portal_login.logout()
        self.connector.close()
        self.phase, self.user, self.directory = Phase.GREETED, "", ROOT
        self.marks, self.reported_sizes = DEFAULT_TRANSFER, {}
        settings = self.services.settings
        self.parameters = TransferParameters(ascii=settings.ascii, umask=settings.umask)
