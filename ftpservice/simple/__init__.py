"""The simple protocol: sessions on one connection, over the accounts and files of the others."""

__all__: list[str] = []
