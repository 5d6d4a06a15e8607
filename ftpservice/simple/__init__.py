"""The simple protocol: sessions on one connection, with the accounts and storage of FTP."""

__all__: list[str] = []
