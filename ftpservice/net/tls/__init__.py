"""TLS of control and data connections: certificates, contexts, handshake, transport."""

__all__: list[str] = []
