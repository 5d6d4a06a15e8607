"""The memory that the main process shares with its workers: made, or that of before an upgrade."""

from __future__ import annotations

import os
from typing import Any

from twisted.logger import Logger

from ftpservice.concurrency.shared_table import SharedTable
from ftpservice.concurrency.table_layout import RecordLayout
from ftpservice.service.settings.errors import CannotStart
from ftpservice.session.shared.table_state import SHARED_RECORDS
from ftpservice.storage.quota.ledgers.tree_record import LEASED_QUOTA_RECORD, QUOTA_RECORD
from ftpservice.storage.quota.shared_quotas import SharedQuotas
from ftpservice.workers.handover import Handover
from ftpservice.workers.session_board import SessionBoard
from ftpservice.workers.supervisor import columns_for

__all__ = ["board_for", "quotas_for", "table_for"]

log = Logger("ftpservice.workers")

RECORDS = (*SHARED_RECORDS, QUOTA_RECORD)
OTHER_COUNTS_TEXT = (
    "--cluster: this version counts other things than the one that runs: drain the node, and "
    "restart the service"
)
LEASED_RECORDS = (*SHARED_RECORDS, LEASED_QUOTA_RECORD)


def board_for(count: int, handover: Handover | None) -> SessionBoard:
    """Return the numbers of ``count`` workers; raises `CannotStart` if there is no room."""
    if handover is None:
        return SessionBoard.create(columns_for(count))
    if count > handover.free_columns:
        raise CannotStart(
            f"--workers {count}: only {handover.free_columns} more may run beside the old ones, "
            "which finish their transfers - upgrade later, or restart the service"
        )
    if handover.is_trial:
        return SessionBoard.create(columns_for(count))
    return SessionBoard(*handover.board)


def table_for(count: int, handover: Handover | None, is_leased: bool = False) -> SharedTable:
    """Return what ``count`` workers count together; ``is_leased``: as a node of a cluster.

    Raises `CannotStart` for a node whose old workers would count otherwise than the new ones: what
    they add would be charged to no quota of the cluster.
    """
    records = LEASED_RECORDS if is_leased else RECORDS
    table = None if handover is None else _inherited_table(handover, records)
    if handover is not None and table is None and is_leased:
        raise CannotStart(OTHER_COUNTS_TEXT)
    if handover is None or handover.is_trial:
        if table is not None:
            table.close()
        return SharedTable.create(records, columns_for(count))
    if table is not None:
        return table
    log.warn("this version counts other things: limits do not count the sessions of old workers")
    table = SharedTable.create(records, handover.board[1])
    used = {int(one["column"]) for one in handover.workers}
    claimed = {table.claim_column() for _ in range(max(used, default=0))}
    for column in claimed - used:
        table.clear_column(column)
    return table


def _inherited_table(handover: Handover, records: tuple[RecordLayout, ...]) -> SharedTable | None:
    """Return the table of the program before this one; None if this one counts other things."""
    if handover.table < 0:
        return None
    try:
        table = SharedTable.attach(handover.table, 0)
    except ValueError:  # of a version that describes its sections otherwise
        table = None
    os.close(handover.table)
    if table is not None and table.layout.records != records:
        table.close()
        return None
    return table


def quotas_for(table: SharedTable, handover: Handover | None, reactor: Any) -> SharedQuotas:
    """Return what the books of quotas have in common."""
    if handover is None or handover.is_trial or handover.quotas < 0:
        return SharedQuotas.create(table, reactor)
    quotas = SharedQuotas.attach(table, handover.quotas, reactor)
    os.close(handover.quotas)
    return quotas
