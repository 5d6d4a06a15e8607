"""What ``ftpservice doctor`` checks."""

__all__: list[str] = []
