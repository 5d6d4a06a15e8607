"""Events of the service itself: actions of administrators, accounts, bans, certificates."""

from __future__ import annotations

from ftpservice.events.sessions import Event, event_value

__all__ = [
    "AccountChanged",
    "AdminAction",
    "BanLifted",
    "Banned",
    "CertificateExpires",
    "CertificateFailed",
    "CertificateIssued",
]


@event_value
class AdminAction(Event):
    """An administrator steered the service; ``user`` is who did it."""

    action: str
    """The command: ``kick``, ``ban``, ``unban``, ``drain``, ``retention run`` and so on."""
    subject: str
    """What it was about: a session, an account, a network."""
    detail: str = ""


@event_value
class AccountChanged(Event):
    """An account with a session that runs was changed, locked or removed; ``user`` names it."""

    what: str
    """One of ``changed``, ``locked or removed`` and ``hours ended``."""


@event_value
class Banned(Event):
    """A network was banned; ``peer`` is empty, it belongs to no session (0)."""

    network: str
    reason: str
    until: float | None
    """The end in seconds since the epoch; None: until it is lifted."""


@event_value
class BanLifted(Event):
    """The ban of a network was lifted; it belongs to no session (0)."""

    network: str


@event_value
class CertificateExpires(Event):
    """A certificate in use expires soon or has expired; it belongs to no session (0)."""

    names: tuple[str, ...]
    """The DNS names and addresses of the certificate."""
    not_after: float
    """The time of the expiry, in seconds since the epoch."""
    days: int
    """Days until then; 0 when it has expired."""


@event_value
class CertificateIssued(Event):
    """A certificate got by ACME is in use for new connections; it belongs to no session (0)."""

    names: tuple[str, ...]
    not_after: float
    """The time of the expiry, in seconds since the epoch."""


@event_value
class CertificateFailed(Event):
    """An attempt to get a certificate by ACME has failed; it belongs to no session (0)."""

    names: tuple[str, ...]
    reason: str
    """What the authority said, or why it was not asked."""
    next_attempt: float
    """The time of the next attempt, in seconds since the epoch."""
