"""The log: its writer thread, its sinks and its setup."""

__all__: list[str] = []
