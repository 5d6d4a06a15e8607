"""The simple protocol: its connection and its session."""

__all__: list[str] = []
