"""Partial uploads on the disk: their files, their locks, their removal after a time."""

__all__: list[str] = []
