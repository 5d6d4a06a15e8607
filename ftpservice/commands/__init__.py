"""The verbs, one file for each concern of the RFCs."""

__all__: list[str] = []
