"""A storage over Twisted's `IFTPShell`."""

__all__: list[str] = []
