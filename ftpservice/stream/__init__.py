"""One connection and its movers: sendfile, splice, TLS, generic; limits and graceful close."""

__all__: list[str] = []
