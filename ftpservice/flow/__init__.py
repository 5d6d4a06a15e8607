"""Moves bytes between a connection and anything that reads or writes; knows no FTP, no storage."""

__all__: list[str] = []
