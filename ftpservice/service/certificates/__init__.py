"""The certificates of the service: loaded, read again when they change, and their expiry."""

__all__: list[str] = []
