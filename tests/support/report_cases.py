"""Reports of tests."""

from __future__ import annotations

from ftpservice.activity.reports.report_data import (
    FailedLogins,
    HourOfTransfers,
    JournalTransfer,
    ProblemRow,
    ReportData,
    UserTransfers,
)
from ftpservice.activity.reports.report_period import ReportPeriod
from ftpservice.activity.reports.report_queries import TOTALS

__all__ = ["DAY", "full_report"]

DAY = 86_400.0
BEGIN = 20_000 * DAY
HOUR = 3600.0


def full_report(name: str) -> ReportData:
    """Return a report with a row of each kind, with a name in every text of a client."""
    totals = dict.fromkeys(TOTALS, 0) | {
        "sessions": 3,
        "sessions_refused": 1,
        "logins": 2,
        "logins_failed": 4,
        "uploads": 2,
        "bytes_up": 2000,
        "downloads": 1,
        "bytes_down": 50,
        "aborted": 1,
        "lost": 9,
    }
    who = (name, "192.0.2.1")
    return ReportData(
        ReportPeriod(BEGIN, BEGIN + DAY),
        totals,
        {"wrong password": 4},
        [UserTransfers(name, 1, 2000, 0, 0, 1, 0)],
        [FailedLogins(name, "192.0.2.9", "wrong password", 4, BEGIN + 5)],
        [HourOfTransfers(BEGIN + 5 * HOUR, 1, 2, 2000, 50)],
        [
            ProblemRow(BEGIN + 7 * HOUR, *who, "transfer", "upload", name, "aborted", name),
            ProblemRow(BEGIN + 7 * HOUR + 1, *who, "upload refused", "STOR", name, "552", name),
        ],
        [JournalTransfer(BEGIN + 5 * HOUR, *who, "upload", name, 2000, 10.0, 2000.0)],
    )
