"""Local ends of a transfer: files, producers, checksums; their thread."""

__all__: list[str] = []
