"""TCP and TLS connections from the client, without a protocol."""

__all__: list[str] = []
