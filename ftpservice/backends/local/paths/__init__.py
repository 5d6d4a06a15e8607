"""Names, directory descriptors and race-free path resolution on the disk."""

__all__: list[str] = []
