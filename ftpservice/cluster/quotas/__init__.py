"""Quotas that hold over all nodes of a cluster: what is reserved for each, and common counts."""

__all__: list[str] = []
