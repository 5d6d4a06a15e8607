"""Names that an account does not see, or that it cannot create."""

__all__: list[str] = []
