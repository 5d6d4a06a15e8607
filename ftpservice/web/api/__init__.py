"""The REST API: routes, what they do, and their OpenAPI description."""

__all__: list[str] = []
