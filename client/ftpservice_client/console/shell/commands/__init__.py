"""The shell commands by subject."""

__all__: list[str] = []
