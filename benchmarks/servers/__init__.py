"""The servers that are measured: how each is found, configured, started and stopped."""

__all__: list[str] = []
