"""The client side of ftpservice: a package of its own beside the server."""

__all__: list[str] = []
