"""Partial uploads on the disk: files, locks, and removal when they expire."""

__all__: list[str] = []
