"""The client that callers hold, and how one is made."""

__all__: list[str] = []
