"""Moves bytes between a connection and anything that reads or writes; knows no FTP, no storage.

What waits, waits here too: for events and times (`patience`), for calls that block (`blocking`).
"""

__all__: list[str] = []
