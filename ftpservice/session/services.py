"""What the sessions of a factory share."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from ftpservice.accounts.defence.login_attempts import LoginAttempts
from ftpservice.concurrency.time_budget import TimeBudget
from ftpservice.events import EventStream
from ftpservice.net.tls.server import ServerTLS
from ftpservice.session.active_uploads import ActiveUploads
from ftpservice.session.resume_offers import ResumeOffers
from ftpservice.session.session_limits import SessionLimits
from ftpservice.session.settings import SessionSettings
from ftpservice.session.upload_digests import UploadDigests
from ftpservice.stream.rate_limit import SharedRateLimiters

__all__ = ["EventSink", "Report", "Services"]


def _new_run_id() -> str:
    return secrets.token_hex(6)


Report = Callable[[str, str, str], list[str] | Deferred[list[str]]]
"""Takes since, until and user as texts; returns lines. Raises `ValueError` for a wrong text."""


def _no_report(_since: str, _until: str, _user: str) -> list[str]:
    return ["No report is kept."]


@dataclass(frozen=True)
class EventSink:
    """Where sessions publish events, and where REPORT reads what has happened."""

    events: EventStream
    report: Report = _no_report
    """Returns the lines of REPORT."""


@dataclass(frozen=True)
class Services:
    """What all sessions of a factory share."""

    portal: Portal
    clock: IReactorTime
    seconds: Callable[[], float]
    """Returns the time since the epoch."""
    settings: SessionSettings
    event_sink: EventSink
    login_attempts: LoginAttempts
    session_limits: SessionLimits
    rate_limiters: SharedRateLimiters
    digests: UploadDigests
    time_budget: TimeBudget
    """The time budget that commands are charged to."""
    resume_offers: ResumeOffers
    """Which sessions may resume an interrupted upload by its SIZE."""
    uploads: ActiveUploads
    """The uploads under way."""
    user_anonymous: str = "anonymous"
    tls: ServerTLS | None = None
    """The certificates; None without TLS."""
    run_id: str = field(default_factory=_new_run_id)
    """Begins the ids of the sessions; another one for each run of a service."""
    requires_protected_data: bool = field(init=False)
    """Whether the settings refuse plaintext data connections, whatever the account."""
    has_rate_limits: bool = field(init=False)
    """Whether the settings limit the rate of any transfer."""

    def __post_init__(self) -> None:
        """Decide what the settings mean for every session."""
        settings = self.settings
        requires = settings.tls.requires_data_tls(by_account=False)
        object.__setattr__(self, "requires_protected_data", requires)
        has_limits = bool(settings.rate_up or settings.rate_down)
        object.__setattr__(self, "has_rate_limits", has_limits)
