"""What a command is given: the session's memory and the services around it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from twisted.cred.portal import Portal
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from ftpservice.accounts.account import IAccount
from ftpservice.accounts.login_attempts import Attempts
from ftpservice.accounts.networks import neighbourhood
from ftpservice.concurrency.time_budget import Turns
from ftpservice.data.channel import Channel
from ftpservice.data.connector import DataConnector
from ftpservice.events import Event, EventStream
from ftpservice.net.tls.server import ServerTLS
from ftpservice.session.active_uploads import LivingUploads
from ftpservice.session.error_replies import Refusal
from ftpservice.session.login import Identity
from ftpservice.session.rate_limits import Pacing
from ftpservice.session.resume_offers import ResumeOffers, ToldSize
from ftpservice.session.session_limits import Roster
from ftpservice.session.settings import SessionSettings
from ftpservice.session.state import Phase
from ftpservice.session.tls_policy import ControlTLS, Protection
from ftpservice.session.transfer import Progress
from ftpservice.session.upload_digests import UploadDigests
from ftpservice.storage.errors import Denied, Unsupported
from ftpservice.storage.interfaces import IStorage, IWriting
from ftpservice.storage.own_uploads import IOwnUploads
from ftpservice.storage.rights import Right
from ftpservice.stream.rate_limit import SharedThrottles, Throttles
from ftpservice.wire import codes
from ftpservice.wire.entry import Entry
from ftpservice.wire.facts import DEFAULT_FACTS
from ftpservice.wire.foreign_protocols import Introduction
from ftpservice.wire.paths import ROOT, VirtualPath

__all__ = [
    "Activity",
    "Context",
    "Marks",
    "Parameters",
    "Peer",
    "Representation",
    "Services",
]


def _nothing_to_report() -> list[str]:
    return ["Nobody keeps a report."]


@dataclass(frozen=True)
class Activity:
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
    activity: Activity
    attempts: Attempts
    roster: Roster
    throttles: SharedThrottles
    digests: UploadDigests
    turns: Turns
    """What commands share the reactor's time with."""
    offers: ResumeOffers
    """Which sessions are told of interrupted uploads."""
    uploads: LivingUploads = field(default_factory=LivingUploads)
    """What is being uploaded."""
    user_anonymous: str = "anonymous"
    tls: ServerTLS | None = None
    """What connections are secured with, if they can be."""


@dataclass(frozen=True, slots=True)
class Peer:
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
    def counted_as(self) -> str:
        """What limits by address count the client under (`neighbourhood`)."""
        return neighbourhood(self.label)


@dataclass(slots=True)
class Parameters:
    """What the client chose for its transfers and listings (RFC 959 §4.1.2)."""

    ascii: bool = True
    records: bool = False
    facts: tuple[str, ...] = DEFAULT_FACTS
    hash_algorithm: str = "SHA-256"
    extended_only: bool = False
    """EPSV ALL was given (RFC 2428 §4)."""
    umask: int = 0o022


@dataclass(frozen=True)
class Representation:
    """How a file is represented on the wire (TYPE, STRU)."""

    ascii: bool
    records: bool
    turns: Turns
    """Among whose work text is converted."""


@dataclass(slots=True)
class Marks:
    """What was said in advance of the next transfer, and goes with it."""

    start: int = 0
    """REST or RANG, in bytes."""
    end: int | None = None
    """RANG: the byte behind the last one wanted."""
    announced: int | None = None
    """ALLO, in bytes."""


@dataclass(slots=True)
class Context:
    """One session as its commands see it."""

    services: Services
    peer: Peer
    connector: DataConnector
    phase: Phase = Phase.GREETED
    identity: Identity = field(default_factory=Identity)
    user: str = ""
    """The name of the last USER."""
    directory: VirtualPath = ROOT
    parameters: Parameters = field(default_factory=Parameters)
    marks: Marks = field(default_factory=Marks)
    rename_from: VirtualPath = ROOT
    told_sizes: dict[VirtualPath, ToldSize] = field(default_factory=dict)
    """The sizes that SIZE last told of, in the order in which they were told."""
    introduction: Introduction = field(default_factory=Introduction)
    """What the client said before its login."""
    failures: int = 0
    """Failed logins of this session."""
    running: Progress | None = None
    """The transfer in progress."""
    told: BaseException | None = None
    """The last problem that an event has told of already."""
    protection: Protection = field(default_factory=Protection)
    """What is under TLS."""
    pacing: Pacing | None = None
    """The limits of speed; made for the first transfer."""

    def __post_init__(self) -> None:
        """Have data connections follow PROT."""
        self.connector.cover = self.protection.cover_of_data

    @property
    def secured(self) -> bool:
        """Whether the control connection is under TLS."""
        return self.protection.control

    @property
    def offers_tls(self) -> bool:
        """Whether AUTH would be heard."""
        services = self.services
        return services.tls is not None and services.settings.tls.control is not ControlTLS.OFF

    @property
    def wants_private_data(self) -> bool:
        """Whether data connections in clear are refused."""
        account = self.identity.account
        by_account = account is not None and account.tls_required
        return self.services.settings.tls.wants_data(by_account)

    @property
    def account(self) -> IAccount:
        """The account; only for commands whose row asks for a login."""
        account = self.identity.account
        if account is None:
            raise Refusal(codes.NOT_LOGGED_IN, "Log in with USER and PASS.")
        return account

    @property
    def storage(self) -> IStorage:
        """The account's files."""
        return IStorage(self.account.storage)

    @property
    def representation(self) -> Representation:
        """How the next file is represented; records are for text only."""
        parameters = self.parameters
        records = parameters.ascii and parameters.records
        return Representation(parameters.ascii, records, self.services.turns)

    def capability(self, interface: Any, right: Right, path: VirtualPath) -> Any:
        """Return the storage as an optional ``interface``; raises `Denied` and `Unsupported`."""
        found = interface(self.storage, None)
        if found is None:
            raise (Unsupported if right in self.account.rights else Denied)(path)
        return found

    def is_live(self) -> bool:
        """Tell whether somebody is logged in and holds the control connection; asks the kernel."""
        return self.identity.account is not None and self.peer.is_there()

    def key_of(self, path: VirtualPath) -> tuple[str, VirtualPath]:
        """Return what an upload to ``path`` is known by to all sessions of the account."""
        return self.account.name, path

    def resolve(self, text: str | None) -> VirtualPath:
        """Return the path that an argument names from here; raises `BadPath`."""
        return self.directory if text is None else self.directory.joined(text)

    def see_that_data_may_move(self) -> None:
        """Raise `Refusal` where data lacks the TLS it should have, and drop what was prepared."""
        if self.wants_private_data and not self.protection.data:
            self.take_marks()
            self.connector.close()
            raise Refusal(codes.CLEAR_DATA, "Data has to go under TLS: say PROT P first.")

    def stored(self, user: str, writing: IWriting, entry: Entry) -> str:
        """Tell who wants to know of a committed upload; returns its digest, if that is known."""
        account = self.identity.account
        if account is not None and account.name == user:
            own = IOwnUploads(account.storage, None)
            if own is not None:
                own.learn(writing.path, entry)
        return self.services.digests.stored(user, writing, entry)

    def take_marks(self) -> Marks:
        """Return what was said in advance, and forget it."""
        marks, self.marks = self.marks, Marks()
        return marks

    def take_channel(self) -> Channel:
        """Return the prepared data channel; raises `Refusal` or `CannotConnect` without one."""
        channel = self.connector.take()
        if channel is None:
            raise Refusal(codes.CANNOT_CONNECT, "Say PASV, EPSV, PORT or EPRT first.")
        return channel.checked()

    def throttles(self, upload: bool) -> Throttles | None:
        """Return the limits that a transfer has to keep to; None if there are none."""
        if self.pacing is None:
            services = self.services
            self.pacing = Pacing(services.clock, services.settings, services.throttles)
        return self.pacing.throttles(self.account, upload)

    def publish(self, kind: type[Event], *details: Any, user: str | None = None) -> None:
        """Tell the world of an event of this session."""
        account = self.identity.account
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
        account = self.identity.account
        if account is not None:
            self.services.roster.log_out(account.name, self.peer.counted_as, self.peer.session)
        if self.pacing is not None:
            self.pacing.leave()
        self.identity.logout()
        self.connector.close()
        self.phase, self.user, self.directory = Phase.GREETED, "", ROOT
        self.marks, self.told_sizes = Marks(), {}
        settings = self.services.settings
        self.parameters = Parameters(ascii=settings.ascii, umask=settings.umask)
