"""TLS of control and data connections: certificates, contexts, a transport; knows no FTP."""

__all__: list[str] = []
