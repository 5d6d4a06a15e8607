"""What counts over all processes that serve the same clients."""

__all__: list[str] = []
