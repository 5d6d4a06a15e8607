"""The service that twistd starts: settings, listeners, log, start and stop."""

__all__: list[str] = []
