"""Warns before certificates expire: 30, 14, 3 and 1 days ahead, and when one has expired.

Certificates that are valid for less than 90 days are warned of correspondingly later: one of 45
days 15 days ahead, when it is due for renewal.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from ftpservice.events import CertificateExpires, Event
from ftpservice.net.tls.certificate_file import CertificateSummary, renewal_lead
from ftpservice.net.tls.server import ServerTLS
from ftpservice.wire.units import count_text

__all__ = ["WARNING_DAYS", "CertificateExpiry"]

log = Logger("ftpservice.tls")

WARNING_DAYS = (30, 14, 3, 1, 0)
"""Days before the expiry at which to warn."""
CHECK_SECONDS = 3600.0
DAY_SECONDS = 86_400.0


class CertificateExpiry(Service):
    """Checks the certificates in use every hour; ``seconds`` returns the time since the epoch.

    ``publish`` is called with a `CertificateExpires` for each warning. ``advice`` returns what to
    do about a certificate at a time, or "" for no warning.
    """

    def __init__(
        self,
        tls: ServerTLS,
        publish: Callable[[Event], object],
        reactor: Any,
        seconds: Callable[[], float],
        advice: Callable[[CertificateSummary, float], str] = lambda _one, _now: "replace its file",
    ) -> None:
        self._tls = tls
        self._publish = publish
        self._seconds = seconds
        self._advice = advice
        self._warned: dict[str, int] = {}
        """The last warning for each certificate, by its fingerprint."""
        self._check_call = LoopingCall(self._check)
        self._check_call.clock = reactor

    def startService(self) -> None:
        """Check now and every hour."""
        super().startService()
        self._check_call.start(CHECK_SECONDS).addErrback(
            lambda failure: log.failure("the expiry of certificates is no longer checked", failure)
        )

    def stopService(self) -> Deferred[None]:
        """Stop the checks."""
        super().stopService()
        if self._check_call.running:
            self._check_call.stop()
        return succeed(None)

    def _check(self) -> None:
        now, certificates = self._seconds(), self._tls.certificates
        for certificate in certificates:
            begin, end = certificate.not_before.timestamp(), certificate.not_after.timestamp()
            left, scale = (end - now) / DAY_SECONDS, renewal_lead(begin, end) / WARNING_DAYS[0]
            due = min((day for day in WARNING_DAYS if end - now <= day * scale), default=None)
            if due is None or due >= self._warned.get(certificate.fingerprint, math.inf):
                continue
            if self._advice(certificate, now):
                self._warned[certificate.fingerprint] = due
                self._warn(certificate, now, max(0, math.ceil(left)))
        in_use = {certificate.fingerprint for certificate in certificates}
        self._warned = {key: due for key, due in self._warned.items() if key in in_use}

    def _warn(self, certificate: CertificateSummary, now: float, days: int) -> None:
        names, until = ", ".join(certificate.names), certificate.not_after
        shown = datetime.fromtimestamp(until.timestamp(), UTC).strftime("%Y-%m-%d %H:%M UTC")
        if days:
            left = count_text(days, "day")
            log.warn(
                "the certificate of {names} expires in {left}, on {until}; {advice}",
                names=names,
                left=left,
                until=shown,
                advice=self._advice(certificate, now),
            )
        else:
            log.error(
                "the certificate of {names} expired on {until}; clients refuse it",
                names=names,
                until=shown,
            )
        event = CertificateExpires(now, 0, "", "", certificate.names, until.timestamp(), days)
        self._publish(event)
