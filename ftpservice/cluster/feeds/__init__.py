"""Feeds between the nodes of a cluster: records as they come, by way of the database."""

__all__: list[str] = []
