"""Data connections: which are accepted, how they are made, how the bytes of a file are moved."""

__all__: list[str] = []
