"""Settings: their table, their values from the command line and from the configuration file."""

__all__: list[str] = []
