"""What several processes of a machine count together in a shared table."""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from ftpservice.accounts.defence.table_login_attempts import LOGIN_ATTEMPTS, TableLoginAttempts
from ftpservice.concurrency.shared_table import SharedTable
from ftpservice.session.shared.shared_state import ISharedState, LocalState
from ftpservice.session.shared.table_session_limits import SESSION_PLACES, TableSessionLimits
from ftpservice.stream.table_rate_limits import RATES, TableRateLimiters

__all__ = ["SHARED_RECORDS", "TableState"]

SHARED_RECORDS = (SESSION_PLACES, LOGIN_ATTEMPTS, RATES)
"""The sections that a table for `TableState` has."""


@implementer(ISharedState)
class TableState(LocalState):
    """What a process counts together with the others that are attached to ``table``."""

    def __init__(self, table: SharedTable, clock: IReactorTime) -> None:
        super().__init__(clock)
        self.login_attempts = TableLoginAttempts(table.section(LOGIN_ATTEMPTS.name), clock)
        self.session_limits = TableSessionLimits(table.section(SESSION_PLACES.name))
        self.rate_limiters = TableRateLimiters(table.section(RATES.name), clock)
