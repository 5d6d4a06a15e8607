"""The schema of the cluster (Alembic)."""

__all__: list[str] = []
