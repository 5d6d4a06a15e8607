"""The command ``ftpservice-client``: a shell, scripts and single commands over the library."""

__all__: list[str] = []
