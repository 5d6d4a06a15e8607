"""The status page: its files, and the logins of browsers."""

__all__: list[str] = []
