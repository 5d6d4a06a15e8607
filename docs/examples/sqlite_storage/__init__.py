"""``sqlite:files.db`` - an example of a storage backend: all files in one SQLite database.

An example for authors of storages, and complete: it passes `StorageContract`. One process may
have the database open. It keeps no partials of cut uploads, and neither appends nor makes up
unique names; such a request raises `Unsupported`.
"""

__all__: list[str] = []
