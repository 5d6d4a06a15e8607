"""The terminal: its size, its colours, progress bars, escaped text."""

__all__: list[str] = []
