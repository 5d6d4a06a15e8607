"""Terms of an account that are more than a number or a word."""

__all__: list[str] = []
