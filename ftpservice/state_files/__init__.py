"""Small files in which the service keeps what it has to remember over a restart."""

__all__: list[str] = []
