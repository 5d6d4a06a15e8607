"""What a node tells of its journal, its hooks and the quotas that it knows, as plain values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ftpservice.activity.journal.journal_service import JournalService
from ftpservice.control.factory import FTPFactory
from ftpservice.storage.quota.book import QuotaBook

if TYPE_CHECKING:
    from ftpservice.activity.hooks.hook_service import HookService

__all__ = ["node_state"]

MAX_QUOTAS = 20


def node_state(
    factory: FTPFactory,
    journal: JournalService | None,
    quotas: QuotaBook | None,
    hooks: HookService,
) -> dict[str, Any]:
    """Return it; of the quotas the fullest ones."""
    from ftpservice.web.api.resource_state import hook_rows, quota_rows

    status = None if journal is None else journal.status
    return {
        "accepts": factory.session_refusal is None,
        "journal": None
        if status is None
        else {
            "place": status.place,
            "waiting": status.waiting,
            "lost": status.lost,
            "problem": status.problem,
        },
        "hooks": hook_rows(hooks),
        "quotas": quota_rows(quotas, MAX_QUOTAS),
    }
