"""Groups: what accounts inherit from them, and names in the roots that they give."""

__all__: list[str] = []
