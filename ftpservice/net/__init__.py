"""TCP transports and the kernel's view of a socket; independent of FTP."""

__all__: list[str] = []
