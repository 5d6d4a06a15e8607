"""Sets up what records the activity of the service, from the settings."""

__all__: list[str] = []
