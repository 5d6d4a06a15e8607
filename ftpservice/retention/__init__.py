"""Retention: which files of which accounts are deleted after a time, and their deletion."""

__all__: list[str] = []
