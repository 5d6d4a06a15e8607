"""Warnings before a certificate expires: once for each threshold, and again for the next file."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher

from ftpservice.events import CertificateExpires
from ftpservice.net.tls.certificate_file import CertificateSummary
from ftpservice.service.certificates.certificate_expiry import CHECK_SECONDS, CertificateExpiry

DAY = 86_400.0
START = datetime(2027, 1, 1, tzinfo=UTC).timestamp()


def certificate(days: float, fingerprint: str = "AA", lifetime: float = 90) -> CertificateSummary:
    begin, end = (datetime.fromtimestamp(START + day * DAY, UTC) for day in (days - lifetime, days))
    return CertificateSummary(("ftp.example.org",), fingerprint, end, begin)


class Watched:
    def __init__(self) -> None:
        self.clock = Clock()
        self.tls: Any = SimpleNamespace(certificates=(certificate(40),))
        self.events: list[CertificateExpires] = []
        self.lines: list[str] = []
        self.service = CertificateExpiry(
            self.tls, self.events.append, self.clock, lambda: START + self.clock.seconds()
        )

    def pass_days(self, days: float) -> list[int]:
        """Return the days of the warnings meanwhile."""
        del self.events[:]
        for _ in range(round(days * DAY / CHECK_SECONDS)):
            self.clock.advance(CHECK_SECONDS)
        return [event.days for event in self.events]


@pytest.fixture
def watched() -> Any:
    made = Watched()

    def note(event: Any) -> None:
        made.lines.append(event["log_format"].format(**event) if event.get("log_format") else "")

    globalLogPublisher.addObserver(note)
    made.service.startService()
    yield made
    made.service.stopService()
    globalLogPublisher.removeObserver(note)


def test_each_threshold_is_warned_of_once(watched: Watched) -> None:
    assert watched.pass_days(9) == []
    assert watched.pass_days(2) == [30]
    assert watched.lines == [
        "the certificate of ftp.example.org expires in 30 days, on 2027-02-10 00:00 UTC; replace"
        " its file"
    ]
    assert watched.pass_days(27) == [14, 3]
    assert watched.pass_days(1) == [1]
    assert watched.pass_days(5) == [0]
    assert watched.lines[-1].startswith("the certificate of ftp.example.org expired on 2027-02-10")
    assert watched.events[0].not_after == START + 40 * DAY


def test_a_certificate_that_expires_soon_is_warned_of_at_the_start() -> None:
    watched = Watched()
    watched.tls.certificates = (certificate(2.5), certificate(300, "BB"))
    watched.service.startService()
    assert [event.days for event in watched.events] == [3]
    watched.service.stopService()
    assert watched.clock.getDelayedCalls() == []


@pytest.mark.parametrize(
    ("lifetime", "first", "later"),
    [(365, 30, [14, 3, 1, 0]), (45, 15, [7, 2, 1, 0]), (6, 2, [1, 1, 1, 0])],
)
def test_a_short_lifetime_has_later_warnings(
    watched: Watched, lifetime: float, first: int, later: list[int]
) -> None:
    watched.tls.certificates = (certificate(first + 0.5, "BB", lifetime),)
    assert watched.pass_days(0.25) == []
    assert watched.pass_days(1) == [first]
    assert watched.pass_days(first) == later


def test_a_renewed_certificate_ends_the_warnings(watched: Watched) -> None:
    assert watched.pass_days(27) == [30, 14]
    watched.tls.certificates = (certificate(90, "BB"),)
    assert watched.pass_days(30) == []
    assert watched.pass_days(5) == [30]
