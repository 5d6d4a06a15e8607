"""Accounts: records, checkers, the realm and the limits on login attempts."""

__all__: list[str] = []
