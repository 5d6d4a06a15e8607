"""A storage in a bucket of an S3 server."""

__all__: list[str] = []
