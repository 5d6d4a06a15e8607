"""The files of the account that is logged in: lists, downloads, archives, changes."""

__all__: list[str] = []
