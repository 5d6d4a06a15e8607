"""The terminal: screen, colours, progress bars, escaping."""

__all__: list[str] = []
