"""When the next attempt is due, from the certificate, the state and the clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ftpservice.service.acme.acme_files import StoredCertificate
from ftpservice.service.acme.renewal_state import RenewalState
from ftpservice.service.acme.schedule import MAX_DELAY_SECONDS, renewal_time

__all__ = ["MIN_RENEWAL_SECONDS", "RenewalPlan"]

MIN_RENEWAL_SECONDS = 6 * 3600.0
"""The least age of a certificate that is renewed because the authority suggests it: one that always
suggests a time in the past does not get an order a minute."""


class RenewalPlan:
    """What is known of the certificate, its authority and the attempts."""

    def __init__(
        self,
        names: tuple[str, ...],
        directory: str,
        seconds: Callable[[], float],
        fingerprint_in_use: Callable[[], str],
    ) -> None:
        self.names = names
        self.directory = directory
        self._seconds = seconds
        self._fingerprint_in_use = fingerprint_in_use
        self.state = RenewalState(directory, names)
        self.certificate: StoredCertificate | None = None
        """The one in the file."""
        self.suggested: float | None = None
        """When the authority wants it to be renewed."""
        self.next_inquiry = 0.0
        """When to ask the authority for that."""

    def is_good(self, found: StoredCertificate | None) -> bool:
        """Return whether a certificate is for these names, of this authority and not too old."""
        if found is None or self.state.issued_by not in ("", self.directory):
            return False
        return found.names >= set(self.names) and self._renewal_time(found) > self._seconds()

    @property
    def is_in_use(self) -> bool:
        """Whether new connections get the certificate in the file."""
        found = self.certificate
        return found is not None and found.fingerprint == self._fingerprint_in_use()

    @property
    def is_satisfied(self) -> bool:
        """Whether a good certificate is in use."""
        return self.is_good(self.certificate) and self.is_in_use

    def due_time(self) -> float:
        """Return the time of the next attempt, in seconds since the epoch."""
        planned, now = self.state.next_attempt, self._seconds()
        if planned > now + MAX_DELAY_SECONDS:
            planned = 0.0  # the clock was wrong when that was written
        if self.certificate is None or not self.is_satisfied:
            return max(planned, now)
        return max(planned, self._renewal_time(self.certificate))

    def is_inquiry_due(self) -> bool:
        """Return whether the authority should be asked when to renew."""
        return self.is_in_use and self.next_inquiry <= self._seconds()

    def status(self) -> dict[str, Any]:
        """Return what an administrator wants to know, as values for JSON."""
        found = self.certificate
        return {
            "names": list(self.names),
            "directory": self.directory,
            "is_good": self.is_satisfied,
            "issuer": found.issuer if found is not None else None,
            "not_after": found.not_after if found is not None else None,
            "next_attempt": self.due_time(),
            "failures": self.state.failures,
            "problem": self.state.problem,
        }

    def _renewal_time(self, found: StoredCertificate) -> float:
        own = renewal_time(found.not_before, found.not_after)
        if self.suggested is None:
            return own
        return min(own, max(self.suggested, found.not_before + MIN_RENEWAL_SECONDS))
