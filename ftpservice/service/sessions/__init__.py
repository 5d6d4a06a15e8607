"""What a process needs to serve sessions: listeners, accounts, bans, and the end of it."""

__all__: list[str] = []
