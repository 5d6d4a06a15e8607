"""The Alembic migrations of the schema: ``env.py`` runs them, ``versions`` has one file each."""

__all__: list[str] = []
