"""Events of the service itself: actions of administrators, accounts, bans, certificates."""

from __future__ import annotations

from dataclasses import dataclass

from ftpservice.events.sessions import Event

__all__ = [
    "AccountChanged",
    "AdminAction",
    "BanLifted",
    "Banned",
    "CertificateExpires",
    "CertificateFailed",
    "CertificateIssued",
]


@dataclass(frozen=True, slots=True)
class AdminAction(Event):
    """An administrator steered the service; ``user`` is who did it."""

    action: str
    """The command: ``kick``, ``ban``, ``unban``, ``drain``, ``retention run`` and so on."""
    subject: str
    """What it was about: a session, an account, a network."""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class AccountChanged(Event):
    """An account with a session that runs was changed, locked or removed; ``user`` names it."""

    what: str
    """One of ``changed``, ``locked or removed`` and ``hours ended``."""


@dataclass(frozen=True, slots=True)
class Banned(Event):
    """A network was banned; ``peer`` is empty, it belongs to no session (0)."""

    network: str
    reason: str
    until: float | None
    """The end in seconds since the epoch; None: until it is lifted."""


@dataclass(frozen=True, slots=True)
class BanLifted(Event):
    """The ban of a network was lifted; it belongs to no session (0)."""

    network: str


@dataclass(frozen=True, slots=True)
class CertificateExpires(Event):
    """A certificate in use expires soon or has expired; it belongs to no session (0)."""

    names: tuple[str, ...]
    """The DNS names and addresses of the certificate."""
    not_after: float
    """The time of the expiry, in seconds since the epoch."""
    days: int
    """Days until then; 0 when it has expired."""


@dataclass(frozen=True, slots=True)
class CertificateIssued(Event):
    """A certificate got by ACME is in use for new connections; it belongs to no session (0)."""

    names: tuple[str, ...]
    not_after: float
    """The time of the expiry, in seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class CertificateFailed(Event):
    """An attempt to get a certificate by ACME has failed; it belongs to no session (0)."""

    names: tuple[str, ...]
    reason: str
    """What the authority said, or why it was not asked."""
    next_attempt: float
    """The time of the next attempt, in seconds since the epoch."""
