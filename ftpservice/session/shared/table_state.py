"""What several processes of a machine count together in a shared table."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from ftpservice.accounts.defence.table_login_attempts import LOGIN_ATTEMPTS, TableLoginAttempts
from ftpservice.concurrency.shared_table import SharedTable
from ftpservice.session.shared.peer_requests import PeerRequests, Send
from ftpservice.session.shared.ports_of_processes import PortsOfProcesses
from ftpservice.session.shared.shared_state import ISharedState, LocalState
from ftpservice.session.shared.table_session_limits import SESSION_PLACES, TableSessionLimits
from ftpservice.session.shared.table_uploads import ACTIVE_UPLOADS, TableUploads
from ftpservice.stream.table_rate_limits import RATES, TableRateLimiters

__all__ = ["SHARED_RECORDS", "TableState"]

MAIN = 0
"""The column of the main process, which has no session with a passive port."""
SHARED_RECORDS = (SESSION_PLACES, LOGIN_ATTEMPTS, RATES, ACTIVE_UPLOADS)
"""The sections that a table for `TableState` has."""


@implementer(ISharedState)
class TableState(LocalState):
    """What a process counts together with the others that are attached to ``table``.

    ``send(column, message)`` sends a message to the process of a column, which passes it to the
    `received` of its `peers`; without it no process is asked anything. When a process has ended,
    its column is cleared, and the `peers` of the others are told (`gone`).
    """

    def __init__(self, table: SharedTable, clock: IReactorTime, send: Send | None = None) -> None:
        super().__init__(clock)
        self.peers = peers = PeerRequests(send or self._no_answer, clock)
        self.login_attempts = TableLoginAttempts(table.section(LOGIN_ATTEMPTS.name), clock)
        self.session_limits = TableSessionLimits(table.section(SESSION_PLACES.name), peers, clock)
        self.rate_limiters = TableRateLimiters(table.section(RATES.name), clock)
        self.uploads = TableUploads(table.section(ACTIVE_UPLOADS.name), peers, clock)
        self.ports_of_processes = PortsOfProcesses(
            peers, lambda: table.claimed_columns - {MAIN, table.column}
        )

    def _no_answer(self, column: int, _message: tuple[Any, ...]) -> None:
        self.peers.gone(column)
