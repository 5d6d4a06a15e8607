"""Makes ``sqlite:`` known to ``--root`` and to ``passwd.db``."""

from sqlite_storage.source import SqliteFactory

__all__ = ["sqlite"]

sqlite = SqliteFactory()
