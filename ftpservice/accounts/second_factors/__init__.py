"""Second factors of accounts of any store: one-time codes, recovery codes, passkeys."""

__all__: list[str] = []
