"""The storage contract, one file for each part of it."""

__all__: list[str] = []
