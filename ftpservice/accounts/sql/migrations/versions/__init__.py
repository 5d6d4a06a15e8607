"""One migration a file, in order. A migration that was released is never changed."""

__all__: list[str] = []
