"""One file a version."""

__all__: list[str] = []
