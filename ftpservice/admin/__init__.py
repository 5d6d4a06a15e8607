"""The command ``ftpservice``."""

__all__: list[str] = []
