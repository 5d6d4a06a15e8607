"""What a report contains."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any

from ftpservice.activity.reports.report_period import ReportPeriod

__all__ = [
    "FailedLogins",
    "HourOfTransfers",
    "JournalTransfer",
    "NodeTotals",
    "ProblemRow",
    "ReportData",
    "UserTransfers",
]


@dataclass(frozen=True)
class UserTransfers:
    """The transfers of an account."""

    user: str
    files_up: int
    bytes_up: int
    files_down: int
    bytes_down: int
    aborted: int
    refused: int


@dataclass(frozen=True)
class FailedLogins:
    """Failed logins with a name from an address, for one reason."""

    user: str
    address: str
    reason: str
    times: int
    last: float


@dataclass(frozen=True)
class HourOfTransfers:
    """What happened in an hour."""

    hour: float
    """Its beginning, in seconds since the epoch."""
    sessions: int
    files: int
    bytes_up: int
    bytes_down: int


@dataclass(frozen=True)
class JournalTransfer:
    """A transfer that is over."""

    at: float
    user: str
    address: str
    action: str
    path: str
    bytes: int
    seconds: float
    rate: float
    node: str = ""


@dataclass(frozen=True)
class ProblemRow:
    """Something that failed."""

    at: float
    user: str
    address: str
    kind: str
    action: str
    path: str
    outcome: str
    detail: str
    node: str = ""


@dataclass(frozen=True)
class NodeTotals:
    """What happened at a node of a cluster; its name is empty for rows without one."""

    node: str
    sessions: int
    logins: int
    logins_failed: int
    files_up: int
    bytes_up: int
    files_down: int
    bytes_down: int
    incomplete: int


@dataclass(frozen=True)
class ReportData:
    """The figures of a period; names and paths are as clients sent them."""

    period: ReportPeriod
    totals: dict[str, int] = field(default_factory=dict)
    """By name: sessions, logins, uploads, bytes_up, lost and so on."""
    login_failures: dict[str, int] = field(default_factory=dict)
    """By reason."""
    users: list[UserTransfers] = field(default_factory=list)
    failed_logins: list[FailedLogins] = field(default_factory=list)
    hours: list[HourOfTransfers] = field(default_factory=list)
    errors: list[ProblemRow] = field(default_factory=list)
    """The last ones first."""
    slowest: list[JournalTransfer] = field(default_factory=list)
    nodes: list[NodeTotals] = field(default_factory=list)
    """Empty if no row has a node."""

    def as_json(self) -> dict[str, Any]:
        """Return the report as JSON values; bytes of names that are not UTF-8 are escaped."""
        period = asdict(self.period)
        rest = {one.name: getattr(self, one.name) for one in fields(self) if one.name != "period"}
        listed = {
            name: [asdict(row) for row in value] if isinstance(value, list) else value
            for name, value in rest.items()
        }
        return {"period": period, **listed}
