"""Grammar of the protocols: bytes to frozen values and back. Imports the standard library only."""

__all__: list[str] = []
