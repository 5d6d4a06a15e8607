"""The trash in a bucket: copies of what was deleted or overwritten, below a key of the service."""

__all__: list[str] = []
