"""TCP transports and what the kernel tells of a socket; knows no FTP."""

__all__: list[str] = []
