"""Commands for the HTTP server."""

__all__: list[str] = []
