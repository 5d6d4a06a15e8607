"""Links to files and folders for people without an account."""

__all__: list[str] = []
