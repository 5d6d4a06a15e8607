"""A bucket as a tree of files and directories, shared by the storages of a source."""

__all__: list[str] = []
