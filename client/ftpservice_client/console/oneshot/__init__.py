"""One-shot commands: ``ftpservice-client get URL``."""

__all__: list[str] = []
