"""Logs for other programs: events as the fields of a JSON object, and the xferlog."""

__all__: list[str] = []
