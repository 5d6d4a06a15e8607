"""Several nodes that serve the same clients, and what they count together in PostgreSQL."""

__all__: list[str] = []
