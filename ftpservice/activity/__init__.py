"""The log of events and the activity report; both are made from events alone."""

__all__: list[str] = []
