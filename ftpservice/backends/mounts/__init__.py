"""One tree from several storages: the root of an account and its mounts."""

__all__: list[str] = []
