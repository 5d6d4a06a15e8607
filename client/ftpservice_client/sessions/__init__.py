"""Sessions that are logged in: made, queued for, pooled."""

__all__: list[str] = []
