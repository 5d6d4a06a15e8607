"""The log: its thread, its files, its set-up."""

__all__: list[str] = []
