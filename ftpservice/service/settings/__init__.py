"""The settings: their declaration, the command line and the TOML file."""

__all__: list[str] = []
