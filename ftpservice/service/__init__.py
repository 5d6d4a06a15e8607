"""Assembly: settings, options and the service that twistd starts."""

__all__: list[str] = []
