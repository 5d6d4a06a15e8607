"""Directory trees: compared, copied, deleted."""

__all__: list[str] = []
