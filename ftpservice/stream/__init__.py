"""The connection of one transfer, and the ways to move its bytes: read, sendfile, splice, TLS."""

__all__: list[str] = []
