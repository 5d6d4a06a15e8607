"""The front door of FTP: queue, dispatch, timeouts and the factory."""

__all__: list[str] = []
