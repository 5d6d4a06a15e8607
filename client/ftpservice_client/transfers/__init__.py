"""Uploads and downloads: resume, segments, verification, progress."""

__all__: list[str] = []
