"""How the commands take and show the values of accounts and groups."""

__all__: list[str] = []
