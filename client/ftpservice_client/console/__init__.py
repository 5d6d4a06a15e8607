"""The command ``ftpservice-client``: shell, scripts and one-shot commands over the library."""

__all__: list[str] = []
