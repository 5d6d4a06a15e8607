"""The control connection: reading commands, carrying them out in order, replies and timeouts."""

__all__: list[str] = []
