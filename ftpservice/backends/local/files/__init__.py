"""Open files on the disk: readings and write transactions."""

__all__: list[str] = []
