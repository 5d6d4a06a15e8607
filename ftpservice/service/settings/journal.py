"""The settings of the journal: where it is, how long rows are kept, and how large it may become."""

from __future__ import annotations

from dataclasses import dataclass

from ftpservice.service.settings.errors import SettingsConflict
from ftpservice.service.settings.setting import SECONDS, TEXT, setting
from ftpservice.wire.units import parse_size

__all__ = ["NO_JOURNAL", "JournalSettings"]

NO_JOURNAL = "off"
MIN_BYTES = 1024 * 1024


@dataclass(frozen=True)
class JournalSettings:
    """What is kept of what has happened."""

    journal: str | None = setting(
        TEXT,
        None,
        "Database of the journal: a path for SQLite, postgresql://user@host/database, or off "
        "(default: journal.db in data-dir, if there is one and the extra sql is installed).",
    )
    journal_keep: float = setting(
        SECONDS,
        "400d",
        "Time that rows of the journal are kept; 0: for ever.",
    )
    journal_size: int = setting(
        TEXT,
        "2G",
        "Size of the journal's database from which on its oldest rows are deleted; 0 for no limit.",
        parse_size,
    )
    journal_spool: int = setting(
        TEXT,
        "256M",
        "Size of the directory journal-spool in data-dir, where events wait while the database of "
        "the journal does not take them; what does not fit is counted.",
        parse_size,
    )

    def check_journal(self, data_dir: str | None) -> None:
        """Raise `SettingsConflict` if no journal could be kept with these settings."""
        if self.journal not in (None, NO_JOURNAL) and data_dir is None:
            raise SettingsConflict(
                "--journal needs --data-dir, where events wait while the database does not take "
                "them"
            )
        if self.journal_spool < MIN_BYTES:
            raise SettingsConflict("--journal-spool: at least 1M")
        if self.journal_size and self.journal_size < MIN_BYTES:
            raise SettingsConflict("--journal-size: at least 1M, or 0 for no limit")
