"""Storages: what implements the contract, and the strings that name one (``local:/srv/ftp``)."""

__all__: list[str] = []
