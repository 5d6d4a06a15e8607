"""The calls of an S3 server that the storage needs: signed, repeated, within time limits."""

__all__: list[str] = []
