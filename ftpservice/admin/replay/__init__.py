"""Plays a transcript against a server and compares the replies."""

__all__: list[str] = []
