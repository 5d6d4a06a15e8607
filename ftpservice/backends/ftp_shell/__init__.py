"""Storage over Twisted's own ``IFTPShell``."""

__all__: list[str] = []
