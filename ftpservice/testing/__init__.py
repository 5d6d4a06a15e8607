"""For tests of storages: the contract that every storage keeps."""

__all__: list[str] = []
