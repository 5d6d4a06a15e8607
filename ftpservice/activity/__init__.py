"""What the service has been doing, told by events only."""

__all__: list[str] = []
