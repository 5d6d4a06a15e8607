"""One module a version of the journal's table."""

__all__: list[str] = []
