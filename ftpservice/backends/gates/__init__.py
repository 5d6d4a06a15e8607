"""Storages whose uploads and deletions are checked by gates before they take effect."""

__all__: list[str] = []
