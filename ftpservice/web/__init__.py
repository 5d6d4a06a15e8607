"""The HTTP server of the service: connections, access, REST API, status page."""

__all__: list[str] = []
