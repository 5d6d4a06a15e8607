"""Accounts in a database: SQLite or PostgreSQL. Needs the extra ``sql``."""

__all__: list[str] = []
