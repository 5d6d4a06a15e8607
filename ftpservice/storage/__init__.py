"""Virtual filesystems: the contract, the backends and the wrappers around them."""

__all__: list[str] = []
