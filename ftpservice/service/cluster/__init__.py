"""Sets up the node of a cluster that the service is."""

__all__: list[str] = []
