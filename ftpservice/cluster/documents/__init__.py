"""The JSON files of data directories that the nodes of a cluster have in common."""

__all__: list[str] = []
