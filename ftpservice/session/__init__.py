"""The state of a session, its settings and limits, and what commands use of both."""

__all__: list[str] = []
