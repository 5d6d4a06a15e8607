"""Names on the disk, and race-free resolution of paths relative to directory descriptors."""

__all__: list[str] = []
