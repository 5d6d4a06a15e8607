"""The migrations of the journal's table (Alembic)."""

__all__: list[str] = []
