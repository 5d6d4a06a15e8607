"""Upload transactions of a storage in a bucket, and partial uploads."""

__all__: list[str] = []
