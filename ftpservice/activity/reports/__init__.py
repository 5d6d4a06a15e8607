"""Reports about a time, made from the journal: as text, JSON, CSV and HTML."""

__all__: list[str] = []
