"""Account quotas: the ledger of a tree, and the wrapper that charges changes to it."""

__all__: list[str] = []
