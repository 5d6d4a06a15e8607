"""Who makes a request: API tokens, and what they may do."""

__all__: list[str] = []
