"""Storage in a directory on the disk."""

__all__: list[str] = []
