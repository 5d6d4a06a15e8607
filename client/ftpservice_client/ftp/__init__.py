"""FTP: control connection, data connections, commands."""

__all__: list[str] = []
