"""The interactive shell."""

__all__: list[str] = []
