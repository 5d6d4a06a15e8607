"""The journal: what has happened, in a database, and the report that is made from it."""

__all__: list[str] = []
