"""The checker of stores of accounts that are not a file, such as a database or a directory."""

__all__: list[str] = []
