"""HTTP connections and requests with limits, on ``twisted.web``; health checks."""

__all__: list[str] = []
