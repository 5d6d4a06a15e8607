"""Readers of the account files of other programs."""

__all__: list[str] = []
