"""The journal that the settings ask for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftpservice.activity.journal.journal_place import (
    JOURNAL_FILE,
    SPOOL_DIRECTORY,
    JournalPlan,
    has_database_extra,
    journal_database_url,
)
from ftpservice.activity.journal.journal_service import JournalService
from ftpservice.service.settings.errors import CannotStart
from ftpservice.service.settings.journal import NO_JOURNAL
from ftpservice.service.settings.settings import ServiceSettings

if TYPE_CHECKING:  # the extra sql may be missing
    from ftpservice.activity.journal.journal_database import JournalDatabase

__all__ = ["journal_for", "journal_place", "journal_plan", "last_events_directory"]

LAST_EVENTS_DIRECTORY = "workers"
"""In that of the spool."""


def journal_place(settings: ServiceSettings) -> str | None:
    """Return the path or URL of the journal; None for no journal."""
    if settings.journal is not None:
        return None if settings.journal == NO_JOURNAL else settings.journal
    if settings.data_dir is None or not has_database_extra():
        return None
    return os.path.join(settings.data_dir, JOURNAL_FILE)


def journal_plan(settings: ServiceSettings) -> JournalPlan | None:
    """Return what is to be kept; None for no journal. Raises `CannotStart`."""
    place = journal_place(settings)
    if place is None or settings.data_dir is None:
        return None
    try:
        url = journal_database_url(place)
    except ValueError as error:
        raise CannotStart(f"--journal: {error}") from None
    if url.path is not None and not os.path.isdir(os.path.dirname(url.path)):
        own = os.path.dirname(url.path) == settings.data_dir
        if not own:
            raise CannotStart(
                f"--journal {url.path}: its directory does not exist - create it or choose another"
            )
    return JournalPlan(
        url,
        Path(settings.data_dir, SPOOL_DIRECTORY),
        settings.journal_keep,
        settings.journal_size,
        settings.journal_spool,
        settings.durable,
        "" if settings.cluster is None else settings.node_name,
    )


def last_events_directory(settings: ServiceSettings) -> Path | None:
    """Return where workers put what happens when there is no main process; None: no journal."""
    if settings.data_dir is None or journal_place(settings) is None:
        return None
    return Path(settings.data_dir, SPOOL_DIRECTORY, LAST_EVENTS_DIRECTORY)


def journal_for(settings: ServiceSettings, reactor: Any) -> JournalService | None:
    """Return the journal, which is not opened yet; None for no journal. Raises `CannotStart`."""
    plan = journal_plan(settings)
    return None if plan is None else JournalService(plan, reactor, _database)


def _database(plan: JournalPlan) -> JournalDatabase:
    """Return the database; the library is imported here, in the thread of the journal."""
    from ftpservice.activity.journal.journal_database import JournalDatabase

    return JournalDatabase(plan.url)
