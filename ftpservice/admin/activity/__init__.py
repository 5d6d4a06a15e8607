"""What the commands about activity do: reports, the table of sessions, events as they happen."""

__all__: list[str] = []
