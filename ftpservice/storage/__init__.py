"""The storage contract: interfaces, errors, entries, and wrappers that any storage can wear."""

__all__: list[str] = []
