"""Storage in memory."""

__all__: list[str] = []
